import { Observable } from 'rxjs'
import { link } from './link.ts'
import { type MacrotaskScheduler, macrotasks } from './macrotask.ts'
import { Pump } from './pump.ts'

export interface Pace {
  /**
   * Credits: each number allows that many more values. Without it the stream runs freely; when it completes, no more credits come.
   * A negative number or NaN is an error (Reactive Streams 3.9).
   */
  readonly demand$?: Observable<number>
  readonly scheduler?: MacrotaskScheduler
}

/** What one step yields: zero, one or more values. */
export interface Yield<B> {
  readonly emit: readonly B[]
  /** The stream completes after these values. */
  readonly done: boolean
}

/** One subscription's worth of work. */
export interface Producer<B> {
  /** One step; a promise where the values are not there yet. No other step starts before it has settled. */
  readonly step: () => Yield<B> | Promise<Yield<B>>
  /** Wraps the delivery of a value. */
  readonly deliver: (send: () => void) => void
  /** Wraps the completion. */
  readonly finish: (send: () => void) => void
  /** At teardown, at once: stop what is in flight. */
  readonly cancel: () => void
  /** At teardown, once no step and no delivery is in progress. */
  readonly dispose: () => void
}

/**
 * A cold observable that computes only what was asked for: one credit is one value, and a step starts only while an unanswered
 * credit exists and nothing computed waits for one. Trampolined by a `Pump`: the first step waits for a macrotask, so that
 * `subscribe` returns before any value; later steps run in a flat loop, without a microtask between them where a step
 * answers at once. Laws: S8, S9, S10, S11, S13, S14, S16.
 */
export const drive = <B>({ demand$, scheduler = macrotasks }: Pace, start: () => Producer<B>): Observable<B> =>
  new Observable(out => {
    const producer = start()
    let credits = demand$ ? 0 : Number.POSITIVE_INFINITY
    let computed: Yield<B> = { emit: [], done: false }
    let sent = 0
    let busy = false
    let closed = false

    const flush = (): undefined => {
      while (sent < computed.emit.length && credits > 0 && !closed) {
        credits--
        const value = computed.emit[sent++]
        producer.deliver(() => out.next(value))
      }
      if (sent >= computed.emit.length && computed.done && !closed) producer.finish(() => out.complete())
    }
    const receive = (step: Yield<B>): undefined => {
      if (closed) return
      computed = step
      sent = 0
      return flush()
    }
    /** Nothing else runs until `work`, and the promise it may leave behind, are done; what they use is freed afterwards. */
    const run = (work: () => Promise<Yield<B>> | undefined): void => {
      busy = true
      let pending: Promise<Yield<B>> | undefined
      try {
        pending = work()
      } catch (error) {
        if (!closed) out.error(error)
      }
      if (pending === undefined) {
        busy = false
        if (closed) producer.dispose()
        return
      }
      pending.then(
        step => {
          run(() => receive(step))
          if (!closed) pump.wake()
        },
        error =>
          run(() => {
            throw error
          }),
      )
    }
    const work = (): Promise<Yield<B>> | undefined => {
      if (sent < computed.emit.length) return flush()
      const step = producer.step()
      if (step instanceof Promise) return step
      return receive(step)
    }
    const pump = new Pump(() => {
      if (busy || closed || credits <= 0) return false
      run(work)
      return !closed
    }, scheduler)

    out.add(() => {
      closed = true
      pump.stop()
      producer.cancel()
      if (!busy) producer.dispose()
    })
    if (!demand$) return pump.wake()
    link(demand$, out, {
      next: count => {
        if (!(count >= 0)) return out.error(new RangeError(`demand: expected a number of values >= 0, found ${count}`))
        credits += count
        pump.wake()
      },
      error: error => out.error(error),
      complete: () => {},
    })
  })
