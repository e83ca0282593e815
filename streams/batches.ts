import type { Observable } from 'rxjs'
import { drive, type Pace, type Yield } from './drive.ts'

/** Where batches come from. A function gives the batch of an index, null after the last: the form that resumes anywhere. */
export type Batches<A> = Iterable<A> | AsyncIterable<A> | ((index: number) => A | null | Promise<A | null>)

/**
 * A stream that pulls the next batch only after the previous one was handled and, with `demand$`, asked for; rxjs would drain a
 * synchronous source whole. Where the handling ends in a promise (a loss read from a GPU), let the function await that promise
 * before it gives the next batch. With `demand$` the end is seen at the credit after the last batch. Between slices of 8 ms timers and signals get through. Cold: each subscription iterates anew (a
 * generator object can do so only once: pass an iterable or a function). At teardown the iterator's `return()` is called, if
 * the iterator had not ended, and its failure ignored: nobody listens any more.
 * Laws: S8, S10, S11, S14, S16.
 */
export const batches = <A>(source: Batches<A>, pace: Pace = {}): Observable<A> =>
  drive(pace, () => {
    const { next, close } = puller(source)
    return { step: next, deliver: send => send(), finish: send => send(), cancel: close, dispose: () => {} }
  })

interface Puller<A> {
  readonly next: () => Yield<A> | Promise<Yield<A>>
  readonly close: () => void
}

const end = { emit: [], done: true }
const one = <A>(value: A): Yield<A> => ({ emit: [value], done: false })

const puller = <A>(source: Batches<A>): Puller<A> => {
  if (typeof source !== 'function') return iterating(source)
  let index = 0
  const wrap = (value: A | null): Yield<A> => (value === null ? end : one(value))
  return {
    next: () => {
      const value = source(index++)
      return value instanceof Promise ? value.then(wrap) : wrap(value)
    },
    close: () => {},
  }
}

const begin = <A>(source: Iterable<A> | AsyncIterable<A>): Iterator<A> | AsyncIterator<A> =>
  typeof source === 'object' && Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]()

const iterating = <A>(source: Iterable<A> | AsyncIterable<A>): Puller<A> => {
  let iterator: Iterator<A> | AsyncIterator<A> | null = null
  const wrap = (result: IteratorResult<A>): Yield<A> => {
    if (!result.done) return one(result.value)
    iterator = null
    return end
  }
  const fail = (error: unknown): never => {
    iterator = null // an iterator that threw has ended by itself
    throw error
  }
  return {
    next: () => {
      try {
        iterator ??= begin(source)
        const result = iterator.next()
        return result instanceof Promise ? result.then(wrap, fail) : wrap(result)
      } catch (error) {
        return fail(error)
      }
    },
    close: () => {
      try {
        const closing = iterator?.return?.()
        if (closing instanceof Promise) closing.then(undefined, () => {})
      } catch {
        // As above: unsubscribing does not fail.
      }
      iterator = null
    },
  }
}
