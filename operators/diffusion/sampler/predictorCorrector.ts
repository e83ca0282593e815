/**
 * A step of the reverse SDE, then `corrections` of Langevin dynamics at the new level:
 *
 *   x ← x + δ score + √(2δ) z,   δ = 2 a² (snr ‖z‖ / ‖score‖)²
 *
 * with a of the transition (1 on exploding paths) and each row's own norms, computed on the engine. Source: Song et al., arXiv 2011.13456, algorithms 2 to 5,
 * whose norms are means over the batch: here no row depends on its neighbours. Law X7.
 */
import { add, divide, multiply, scale } from '../../../src/kernel/binary.ts'
import { sum } from '../../../src/kernel/reduce.ts'
import { square, unary } from '../../../src/kernel/unary.ts'
import { fold } from '../../../src/random.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import { noiseLike } from '../noise.ts'
import { transition } from '../qSample.ts'
import { reverseStep, scoreFactor } from './reverseSde.ts'
import { oneStep, type Sampler } from './sampler.ts'

export interface PredictorCorrectorOptions {
  /** Signal-to-noise ratio of a correction; the paper takes 0.16. */
  readonly snr?: number
  readonly corrections?: number
}

export const predictorCorrector = ({ snr = 0.16, corrections = 1 }: PredictorCorrectorOptions = {}): Sampler =>
  oneStep(move => {
    const { from, to, key, denoiser } = move
    let { sample, predictedX0 } = reverseStep({ ...move, key: fold(key, 'predictor') })
    if (to.sigma === 0) return { sample, predictedX0 }
    const damping = 2 * (transition(to, from).scale * snr) ** 2
    for (let i = 0; i < corrections; i++) {
      const estimate = denoiser(sample, to)
      const score = scale(estimate.noise, scoreFactor(to.sigma))
      const z = noiseLike(sample, fold(key, i))
      const delta = scale(divide(rowSquares(z), rowSquares(score)), damping)
      sample = add(sample, add(multiply(score, delta), multiply(z, unary('sqrt', scale(delta, 2)))))
      predictedX0 = estimate.x0
    }
    return { sample, predictedX0 }
  })

/** ‖x‖² of each row, (batch, 1, …). */
const rowSquares = (x: Tensor): Tensor => {
  const rows = x.shape[0]
  return sum(square(x).share([rows, x.size / rows]), 1).share([rows, ...x.shape.slice(1).map(() => 1)])
}
