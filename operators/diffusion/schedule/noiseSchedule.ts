/**
 * The variance-preserving chain of T steps: x_t = √(1 - β_t) x_{t-1} + √β_t ε, so x_t = √ᾱ_t x0 + √(1 - ᾱ_t) ε with ᾱ_t = Π_{s <= t} (1 - β_s).
 * Times are 0 … T - 1, as in most code; the paper's t is one more. Source: Ho et al., arXiv 2006.11239, eq. 2-4. Law X1.
 */
import { InputError } from '../../../src/errors.ts'
import { clean, type Level } from '../level.ts'

export interface NoiseSchedule {
  /** β_t, each in (0, 1). */
  readonly betas: Float64Array
  /** ᾱ_t, strictly decreasing. */
  readonly alphaBars: Float64Array
}

export const noiseSchedule = (betas: ArrayLike<number>): NoiseSchedule => {
  if (betas.length === 0) throw new InputError('noise schedule: expected at least one beta, found none')
  let product = 1
  const alphaBars = Float64Array.from(betas, (beta, t) => {
    if (!(beta > 0 && beta < 1))
      throw new InputError(`noise schedule: expected beta ${t} to be between 0 and 1, found ${beta}`)
    product *= 1 - beta
    return product
  })
  return { betas: Float64Array.from(betas), alphaBars }
}

/** The level of a time; the clean one before time 0. */
export const levelAt = ({ alphaBars }: NoiseSchedule, time: number): Level => {
  if (time === -1) return clean
  const alphaBar = alphaBars[time]
  if (alphaBar === undefined) throw new RangeError(`time ${time} is not in a schedule of ${alphaBars.length}`)
  return { time, alpha: Math.sqrt(alphaBar), sigma: Math.sqrt(1 - alphaBar) }
}

/** Betas from a continuous ᾱ(u), u = t/T in [0, 1]: β_t = 1 - ᾱ((t + 1)/T) / ᾱ(t/T), at most `most`. */
export const fromAlphaBar = (steps: number, alphaBar: (u: number) => number, most = 0.999): NoiseSchedule =>
  noiseSchedule(
    Float64Array.from({ length: steps }, (_, t) => Math.min(most, 1 - alphaBar((t + 1) / steps) / alphaBar(t / steps))),
  )
