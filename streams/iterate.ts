import { defer, type Observable, Subject, Subscriber } from 'rxjs'
import { InputError } from '../src/errors.ts'
import { Queue } from './queue.ts'

/** A stream, or a function of demand that makes one: then each pull grants one credit. */
export type Source<T> = Observable<T> | ((demand$: Observable<number>) => Observable<T>)

/**
 * What a consumer that is slower than the stream gets:
 * `each` every value (kept until pulled), `latest` the last one not yet pulled, `next` only values that arrive while it waits.
 */
export type Policy = 'each' | 'latest' | 'next'

export interface Bound {
  /** The most values kept for a slow consumer under `each`; one more ends the iteration with an `OverflowError`. No bound unless said; less than 0 or NaN is an InputError. */
  readonly bound?: number
}

/** A stream ran ahead of its consumer by more than the declared bound. */
export class OverflowError extends Error {
  override readonly name: string = 'OverflowError'
}

/**
 * A stream for `for await`. Subscribes at the first pull; leaving the loop (`break`, `return`, a throw) unsubscribes. An error
 * arrives after the values before it. Pass `demand$ => feedback({ …, demand$ })` to compute a value only when it is pulled:
 * nothing then waits in a buffer. Values kept: `each` up to `bound`, `latest` 1, `next` 0. Law S12.
 */
export const iterate = <T>(
  source: Source<T>,
  policy: Policy,
  { bound = Number.POSITIVE_INFINITY }: Bound = {},
): AsyncIterableIterator<T, undefined> => {
  if (!(bound >= 0)) throw new InputError(`bound: expected a number of values >= 0, found ${bound}`)
  const demand$ = new Subject<number>()
  const kept = new Queue<IteratorResult<T, undefined>>()
  const pulls = new Queue<Pull<T>>()
  let started = false
  let end: { error?: { readonly reason: unknown } } | null = null

  const answer = (): void => {
    while (pulls.size > 0 && (kept.size > 0 || end !== null)) {
      const pull = pulls.shift()
      const value = kept.shift()
      if (value !== undefined) pull?.resolve(value)
      else if (end?.error) {
        pull?.reject(end.error.reason)
        end = {}
      } else pull?.resolve({ done: true, value: undefined })
    }
  }
  const finish = (how: { error?: { readonly reason: unknown } }): void => {
    end ??= how
    subscriber.unsubscribe()
    answer()
  }
  const subscriber = new Subscriber<T>({
    next: value => {
      if (pulls.size === 0) {
        if (policy === 'next') return
        if (policy === 'latest') kept.clear()
        else if (kept.size >= bound) return finish({ error: { reason: overflow(bound) } })
      }
      kept.push({ done: false, value })
      answer()
    },
    error: (reason: unknown) => finish({ error: { reason } }),
    complete: () => finish({}),
  })
  return {
    next: () =>
      new Promise((resolve, reject) => {
        pulls.push({ resolve, reject })
        answer()
        if (!started) {
          started = true
          defer(() => (typeof source === 'function' ? source(demand$.asObservable()) : source)).subscribe(subscriber)
        }
        demand$.next(1)
      }),
    return: () => {
      started = true
      kept.clear()
      end = {}
      finish(end)
      return Promise.resolve({ done: true, value: undefined })
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

interface Pull<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (reason: unknown) => void
}

const overflow = (bound: number): OverflowError =>
  new OverflowError(
    `${bound} values wait for a slow consumer, the declared bound: pull with demand, take 'latest' or 'next', or raise the bound`,
  )
