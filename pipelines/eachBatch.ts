import { defer, finalize, type Observable } from 'rxjs'
import { batches } from '../streams/index.ts'

/** What `f` makes of each batch, in order. The next is pulled when the one before has arrived, however late its engine answers: no batches pile up. Cold. */
export const eachBatch = <A, B>(source: Iterable<A>, f: (batch: A) => B | Promise<B>): Observable<B> =>
  defer(() => {
    const iterator = source[Symbol.iterator]()
    return batches((): B | null | Promise<B> => {
      const { done, value } = iterator.next()
      return done ? null : f(value)
    }).pipe(finalize(() => iterator.return?.()))
  })
