/**
 * The probability-flow ODE. Along any path of levels the samples' distribution is kept by
 *
 *   dx = x̂0(x) d alpha + ε̂(x) d sigma
 *
 * (Song et al., arXiv 2011.13456, eq. 13; Karras et al., arXiv 2206.00364, eq. 1, with the schedule's derivatives as differentials). Between two levels
 * the straight chord in (alpha, sigma) serves as well as the path the model was trained on, since the ODE's map depends on the end points alone.
 *
 *   Euler   x' = x + Δalpha x̂0 + Δsigma ε̂: DDIM                                                                                    order 1
 *   Heun    x + ½ (Δalpha (x̂0 + x̂0') + Δsigma (ε̂ + ε̂')) with the second estimate at (x', to): EDM's algorithm 1 where alpha = 1    order 2
 *
 * A step to sigma 0, where there is nothing to estimate, is Euler's. Law X7.
 */
import { combine } from '../combine.ts'
import { type Move, oneStep, type Sampler } from './sampler.ts'

const slope = ({ from, to }: Move) => ({ alpha: to.alpha - from.alpha, sigma: to.sigma - from.sigma })

export const euler: Sampler = oneStep(move => {
  const { x0, noise } = move.denoiser(move.x, move.from)
  const d = slope(move)
  return { sample: combine([1, move.x], [d.alpha, x0], [d.sigma, noise]), predictedX0: x0 }
})

export const heun: Sampler = oneStep(move => {
  const { x, from, to, denoiser } = move
  const { x0, noise } = denoiser(x, from)
  const d = slope(move)
  const ahead = combine([1, x], [d.alpha, x0], [d.sigma, noise])
  if (to.sigma === 0) return { sample: ahead, predictedX0: x0 }
  const next = denoiser(ahead, to)
  const sample = combine(
    [1, x],
    [d.alpha / 2, x0],
    [d.alpha / 2, next.x0],
    [d.sigma / 2, noise],
    [d.sigma / 2, next.noise],
  )
  return { sample, predictedX0: next.x0 }
})
