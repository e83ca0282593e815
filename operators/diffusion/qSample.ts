/**
 * The forward process: in closed form, q(x_t | x0) = N(alpha_t x0, sigma_t² I), and between two levels (Ho et al., arXiv 2006.11239, eq. 2 and 4;
 * Kingma et al., arXiv 2107.00630, eq. 5 for any path):
 *
 *   q(x_t | x_s) = N(a x_s, b² I),   a = alpha_t / alpha_s,   b² = sigma_t² - a² sigma_s²
 *
 * On adjacent levels of a schedule a² = 1 - β_t and b² = β_t. Laws X2, X5.
 */
import type { Tensor } from '../../src/tensor/tensor.ts'
import { combine, type Levels, ofEach } from './combine.ts'
import type { Level } from './level.ts'

export interface Transition {
  /** a */
  readonly scale: number
  /** b² */
  readonly variance: number
}

/** From a level to a noisier one. */
export const transition = (from: Level, to: Level): Transition => {
  const scale = to.alpha / from.alpha
  const variance = to.sigma ** 2 - (scale * from.sigma) ** 2
  if (!(variance >= 0)) throw new RangeError(`no noise leads from sigma ${from.sigma} to ${to.sigma}`)
  return { scale, variance }
}

/** x_t from x0 and noise of its shape. */
export const qSample = (x0: Tensor, noise: Tensor, at: Levels): Tensor =>
  combine([ofEach(at, level => level.alpha), x0], [ofEach(at, level => level.sigma), noise])

/** One step up: a x + b ε. */
export const forwardStep = (x: Tensor, noise: Tensor, from: Level, to: Level): Tensor => {
  const { scale, variance } = transition(from, to)
  return combine([scale, x], [Math.sqrt(variance), noise])
}
