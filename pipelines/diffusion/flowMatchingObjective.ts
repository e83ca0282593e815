import type { DiffusionModel } from '../../operators/diffusion/denoiser.ts'
import type { Level } from '../../operators/diffusion/level.ts'
import { squaredError } from '../../operators/diffusion/loss/squaredError.ts'
import { targetOf } from '../../operators/diffusion/parametrization.ts'
import { qSample } from '../../operators/diffusion/qSample.ts'
import { compose } from '../../src/compose.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { fold, uniform } from '../../src/random.ts'
import { type Axes, type Shape, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import type { Objective } from '../trainer.ts'

/** Pairs of points, row by row, on the host. */
export interface PairBatch {
  /** Position in the run: times follow from it. */
  readonly index: number
  /** (batch, …) */
  readonly shape: Shape
  /** Where the flow starts: noise, or any other data; paired at random, or by `optimalPairing`. */
  readonly source: ArrayLike<number>
  readonly target: ArrayLike<number>
}

/** The level t of a rectified flow, 1 at the source and 0 at the data: x = (1 - t) target + t source. */
export const flowLevel = (t: number): Level => ({ time: t, alpha: 1 - t, sigma: t })

/**
 * E ‖model(x_t, t) - (source - target)‖² / size, each row at a time t of its own, uniform in [0, 1): the model learns dx/dt, which `integrate` or a sampler of
 * parametrization `velocity` follows from 1 to 0. Source: Lipman et al., arXiv 2210.02747; Liu et al., arXiv 2209.03003.
 */
export const flowMatchingObjective =
  <A extends Axes>(engine: Engine, model: DiffusionModel<A>): Objective<PairBatch> =>
  (c, { shape, source, target }) => {
    const levels = Array.from(uniform(fold(c.key, 'times'), shape[0] ?? 0), flowLevel)
    const [x0, x1] = [tensor(engine, shape, target), tensor(engine, shape, source)]
    const x: Tensor<A> = qSample(x0, x1, levels).share()
    const velocity: Tensor<A> = targetOf('velocity', x0, x1, levels).share()
    return compose(model, squaredError(velocity))(c, [x, times(levels.map(({ time }) => time))])
  }
