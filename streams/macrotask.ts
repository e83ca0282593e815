import type { Unsubscribable } from 'rxjs'

/**
 * How long-running streams let the event loop turn: timers, signals and sockets get through between two macrotasks, never
 * between two microtasks. Every rxjs scheduler is one (`TestScheduler` and `VirtualTimeScheduler` for marble tests).
 */
export interface MacrotaskScheduler {
  /** Milliseconds, on a clock that never runs backwards. */
  now(): number
  /** Runs `work` in a later macrotask unless unsubscribed before. */
  schedule(work: () => void): Unsubscribable
  /** How many milliseconds all streams together may hold one macrotask; 8 unless said, 0 gives each step its own. */
  readonly slice?: number
}

type Schedule = MacrotaskScheduler['schedule']

/** Node: runs after the poll phase, so that timers, signals and sockets come first. */
const viaImmediate: Schedule = work => {
  const handle = setImmediate(work)
  return { unsubscribe: () => clearImmediate(handle) }
}

/** Browsers: a message is a macrotask without `setTimeout`'s 4 ms clamp. */
export const viaMessage = ({ port1, port2 }: Pick<MessageChannel, 'port1' | 'port2'>): Schedule => {
  const queue = new Map<number, () => void>()
  let count = 0
  port1.onmessage = ({ data }) => {
    const work = queue.get(data)
    queue.delete(data)
    work?.()
  }
  return work => {
    const id = count++
    queue.set(id, work)
    port2.postMessage(id)
    return { unsubscribe: () => queue.delete(id) }
  }
}

/** The scheduler of the host: `setImmediate` where there is one, else a `MessageChannel`. */
export const macrotasks: MacrotaskScheduler = {
  now: () => performance.now(),
  schedule: typeof setImmediate === 'function' ? viaImmediate : viaMessage(new MessageChannel()),
}
