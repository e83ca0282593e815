import { type Observable, type Observer, Subscriber } from 'rxjs'

/**
 * Subscribes to `source` on behalf of `out`: closing `out` stops even a source that emits everything inside `subscribe`,
 * as `take(3)` of an endless `generate` needs. (A subscription returned afterwards would come too late.)
 */
export const link = <A>(source: Observable<A>, out: Subscriber<unknown>, observer: Observer<A>): void => {
  const inner = new Subscriber<A>(observer)
  out.add(inner)
  source.subscribe(inner)
}
