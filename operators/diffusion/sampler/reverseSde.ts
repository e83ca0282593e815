/**
 * The reverse-time SDE dx = (f x - g² ∇log q) dt + g dw. One step of Euler and Maruyama against the noising x_s = a x_t + b ε of the levels:
 *
 *   x ← (2 - a) x + b² score + b z
 *
 * (Song et al., arXiv 2011.13456, eq. 46: "reverse diffusion"). Variance preserving: a = √(1 - β), b² = β; exploding: a = 1, b² = sigma_s² - sigma_t².
 * The last step adds no noise and is Tweedie's x̂0. Order 1 in distribution: wants small steps. Law X7.
 */
import { combine } from '../combine.ts'
import { noiseLike } from '../noise.ts'
import { transition } from '../qSample.ts'
import { type Move, type Moved, oneStep, type Sampler } from './sampler.ts'

/** ∇log q(x) = -ε̂ / sigma, as a factor of ε̂. */
export const scoreFactor = (sigma: number): number => -1 / sigma

export const reverseStep = ({ x, from, to, key, denoiser }: Move): Moved => {
  const { x0, noise } = denoiser(x, from)
  if (to.sigma === 0) return { sample: combine([to.alpha, x0]), predictedX0: x0 }
  const { scale, variance } = transition(to, from)
  const sample = combine(
    [2 - scale, x],
    [variance * scoreFactor(from.sigma), noise],
    [Math.sqrt(variance), noiseLike(x, key)],
  )
  return { sample, predictedX0: x0 }
}

export const eulerMaruyama: Sampler = oneStep(reverseStep)
