import type { Observable } from 'rxjs'
import type { Machine } from '../src/machine.ts'
import { drive, type Pace, type Yield } from './drive.ts'
import { type Lease, Owner } from './owner.ts'

/** What the host makes of one step: zero, one or more values (prefill, a token, accepted drafts), and the next input. */
export interface Emission<B, A> {
  readonly emit: readonly B[]
  /** Null completes the stream after these values. */
  readonly next: A | null
}

export interface Feedback<DS, HS, A, R, P, B> extends Pace {
  /** Holds tensors: the model and its cache, the denoiser. */
  readonly device: Machine<DS, A, R>
  /**
   * The one asynchronous door: plain values from the device's result, at once on CPU engines, a promise on a GPU.
   * The signal is aborted at teardown.
   */
  readonly read: (result: R, signal: AbortSignal) => P | Promise<P>
  /** Holds plain values: sampler and its key, penalties, stop rules, schedule. */
  readonly host: Machine<HS, P, Emission<B, A>>
  /** The first input. */
  readonly first: A
}

/**
 * Two machines joined by the read, driven by their own output: autoregressive decoding, reverse diffusion.
 *
 *   (r_t, d_{t+1}) = device(d_t, a_t),   (emit_t, a_{t+1}), h_{t+1} = host(h_t, read(r_t))        emits emit_0 ++ emit_1 ++ …
 *
 * Cold: each subscription makes both states, at its first step, and frees them at teardown; while a read is pending they are
 * freed as soon as it has settled, and its value goes nowhere. No value arrives before `subscribe` has returned. With `demand$`
 * one credit is one value; `take(n)` of a stream of one-value steps costs exactly n steps. A result is freed after the next
 * emission, or at once if the host does not pass it on. Errors in `init`, `step` or `read` reach `error`, once.
 * Laws: S8, S9, S10, S11, S13, S14, S15, S16, S17.
 */
export const feedback = <DS, HS, A, R, P, B>(options: Feedback<DS, HS, A, R, P, B>): Observable<B> => {
  const { device, read, host, first } = options
  return drive(options, () => {
    const abort = new AbortController()
    const owner = new Owner(1)
    let states: readonly [DS, HS] | null = null
    let input = first
    /** The last result while it is needed: read, passed on, or fed back. */
    let result: Lease | null = null
    let emitted = false

    const answer = (value: P): Yield<B> => {
      if (abort.signal.aborted || result === null || states === null) return { emit: [], done: true }
      const [deviceState, hostState] = states
      const [{ emit, next }, nextHostState] = owner.extend(
        result,
        () => host.step(hostState, value),
        ([emission]) => emission,
      )
      states = [deviceState, nextHostState]
      if (next !== null) input = next
      emitted = emit.length > 0
      return { emit, done: next === null }
    }
    return {
      step: () => {
        states ??= [owner.own(device.init), owner.own(host.init)]
        const [deviceState, hostState] = states
        const previous = result
        const [output, next, lease] = owner.step(() => device.step(deviceState, input))
        states = [next, hostState]
        result = lease
        if (previous !== null && !emitted) owner.discard(previous)
        const values = lease.region.run(() => read(output, abort.signal))
        return values instanceof Promise ? values.then(answer) : answer(values)
      },
      deliver: send => {
        if (result) owner.deliver(result, send)
      },
      finish: send => owner.finish(send),
      cancel: () => abort.abort(),
      dispose: () => owner.close(),
    }
  })
}
