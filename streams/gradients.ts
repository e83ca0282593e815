import type { OperatorFunction } from 'rxjs'
import type { Trainer } from './closed.ts'
import { lift } from './lift.ts'
import type { Keep } from './loop.ts'

/**
 * The gradients of fixed parameters over a stream of batches, to plot, merge or accumulate:
 * `batch$.pipe(gradients(trainer.gradient, state, { keep: 3 }), bufferCount(4), …)`. `closed` is the same stream with the loop shut.
 */
export const gradients = <S, A, G>(
  gradient: Trainer<S, A, G, unknown>['gradient'],
  state: S,
  options: Keep = {},
): OperatorFunction<A, G> => lift(batch => gradient(state, batch), options)
