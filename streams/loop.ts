import { Observable, type OperatorFunction } from 'rxjs'
import type { Machine } from '../src/machine.ts'
import { link } from './link.ts'
import { Owner } from './owner.ts'

export interface Keep {
  /** An emitted tensor is freed once the `keep`-th later emission has been delivered; 1 unless said. Less than 0 or NaN is an InputError. */
  readonly keep?: number
}

/**
 * Drives a machine from outside: teacher forcing, training over batches, an optimizer fed gradients.
 *
 *   s_0 = init(),  (b_t, s_{t+1}) = step(s_t, a_t)        emits b_0, b_1, …
 *
 * The driver owns the state: it is made at each subscription and freed at teardown, whether by complete, error or unsubscribe.
 * Tensors made synchronously downstream belong to the emission and go with it. A machine that keeps an input tensor in its state
 * must `share()` it. Errors in `init` or `step` reach `error`, once.
 * Laws: S6 (`loop(chain(m, n)) = loop(n) . loop(m)`, restart), S13, S14, S15.
 */
export const loop =
  <S, A, B>(machine: Machine<S, A, B>, { keep = 1 }: Keep = {}): OperatorFunction<A, B> =>
  source =>
    new Observable(out => {
      const owner = new Owner(keep)
      const attempt = (work: () => void): void => {
        try {
          work()
        } catch (error) {
          out.error(error)
        }
      }
      attempt(() => {
        let state = owner.own(machine.init)
        link(source, out, {
          next: input =>
            attempt(() => {
              const [output, next, lease] = owner.step(() => machine.step(state, input))
              state = next
              owner.deliver(lease, () => out.next(output))
            }),
          error: error => out.error(error),
          complete: () => owner.finish(() => out.complete()),
        })
      })
      return () => owner.close()
    })
