import { Observable, type OperatorFunction, Subject } from 'rxjs'
import { link } from './link.ts'
import type { Keep } from './loop.ts'
import { Owner } from './owner.ts'

/** Training in two halves, so that a stream of gradients flows between them. H is what comes back from it: G unless said. */
export interface Trainer<S, A, G, B, H = G> {
  readonly init: () => S
  /** Reads the state; does not consume it. */
  readonly gradient: (state: S, batch: A) => G
  /** Consumes the state. */
  readonly update: (state: S, gradient: H) => readonly [output: B, state: S]
}

/**
 * Feedback through the parameters: each batch gives a gradient at the current state, the gradients flow through the user's own
 * operators, and whatever comes out updates the state.
 *
 *   clip = map(clip)   accumulate 4 = pipe(bufferCount(4), map(mean)), keep 3   skip = filter(finite)   watch = tap(plot)
 *
 * Gradients live until the `keep`-th later gradient was delivered, outputs until the next one; the state is the driver's.
 * When the batches end, `through` is completed and may flush. An asynchronous `through` gives delayed gradients.
 * Laws: S6 (`closed(trainer, identity) = loop` of both halves), S13, S14, S15.
 */
export const closed =
  <S, A, G, B, H = G>(
    trainer: Trainer<S, A, G, B, H>,
    through: OperatorFunction<G, H>,
    { keep = 1 }: Keep = {},
  ): OperatorFunction<A, B> =>
  source =>
    new Observable(out => {
      const gradients = new Owner(keep)
      const outputs = new Owner(1)
      const gradient$ = new Subject<G>()
      const error = (reason: unknown): void => out.error(reason)
      const attempt = (work: () => void): void => {
        try {
          work()
        } catch (reason) {
          error(reason)
        }
      }
      attempt(() => {
        let state = outputs.own(trainer.init)
        link(gradient$.pipe(through), out, {
          next: gradient =>
            attempt(() => {
              const [output, next, lease] = outputs.step(() => trainer.update(state, gradient), gradients)
              state = next
              outputs.deliver(lease, () => out.next(output))
            }),
          error,
          complete: () => outputs.finish(() => out.complete()),
        })
        link(source, out, {
          next: batch =>
            attempt(() => {
              const [gradient, , lease] = gradients.step(() => [trainer.gradient(state, batch), null])
              gradients.deliver(lease, () => gradient$.next(gradient))
            }),
          error,
          complete: () => gradients.finish(() => gradient$.complete()),
        })
      })
      return () => {
        outputs.close()
        gradients.close()
      }
    })
