/**
 * The terms of -log p(x0) <= L_T + Σ L_{t-1} + L_0, in nats for a whole sample, on the host:
 *
 *   prior     KL(q(x_T | x0) ‖ N(0, I))
 *   step      KL(q(x_{t-1} | x_t, x0) ‖ N(mean of x̂0, variance))
 *   decoder   -log of the model's Gaussian over the bin of each value: data come in bins of a width, the first and last reaching to infinity
 *
 * Source: Ho et al., arXiv 2006.11239, eq. 5 and 13.
 */

import { erf } from '../../../src/engine/reference/erf.ts'
import { ShapeError } from '../../../src/errors.ts'
import type { Level } from '../level.ts'
import { posterior } from '../posterior.ts'

type Numbers = ArrayLike<number>

const total = (x: Numbers, y: Numbers, term: (a: number, b: number, i: number) => number): number => {
  if (x.length !== y.length) throw new ShapeError(`variational bound: ${x.length} and ${y.length} numbers`)
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += term(x[i], y[i], i)
  return sum
}

/** KL(N(m, v) ‖ N(m', v')) of one number, from the squared difference of the means. */
export const gaussianDivergence = (squaredDistance: number, variance: number, other: number): number =>
  0.5 * (Math.log(other / variance) + (variance + squaredDistance) / other - 1)

export const priorTerm = (x0: Numbers, { alpha, sigma }: Level): number =>
  total(x0, x0, a => gaussianDivergence((alpha * a) ** 2, sigma ** 2, 1))

/** `variance` of the model's step, the posterior's unless given; an element's own where it is a function. */
export const stepTerm = (
  x0: Numbers,
  predictedX0: Numbers,
  from: Level,
  to: Level,
  variance: (i: number) => number = () => posterior(from, to).variance,
): number => {
  const q = posterior(from, to)
  return total(x0, predictedX0, (a, b, i) => gaussianDivergence((q.x0 * (a - b)) ** 2, q.variance, variance(i)))
}

export interface Bins {
  /** Distance of neighbouring values: 2/255 for bytes on [-1, 1]. */
  readonly width: number
  readonly least: number
  readonly most: number
}

/** Of data in bins under N(mean, variance), the variance an element's own. */
export const decoderTerm = (
  x0: Numbers,
  mean: Numbers,
  variance: (i: number) => number,
  { width, least, most }: Bins,
): number => {
  const cumulative = (z: number): number => 0.5 * (1 + erf(z / Math.SQRT2))
  return total(x0, mean, (a, m, i) => {
    const deviation = Math.sqrt(variance(i))
    const above = a + width / 2 > most ? 1 : cumulative((a + width / 2 - m) / deviation)
    const below = a - width / 2 < least ? 0 : cumulative((a - width / 2 - m) / deviation)
    return -Math.log(Math.max(above - below, Number.MIN_VALUE))
  })
}

/** Nats of a sample as bits a dimension. */
export const bitsPerDimension = (nats: number, dimensions: number): number => nats / (dimensions * Math.LN2)
