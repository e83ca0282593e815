import { combine } from '../combine.ts'
import { noiseLike } from '../noise.ts'
import { oneStep, type Sampler } from './sampler.ts'

/**
 * x ← alpha' x̂0 + sigma' z: jump to the data, put fresh noise on it. For models whose x̂0 is right at once, in one to four steps
 * (Song et al., arXiv 2303.01469, algorithm 1).
 */
export const consistency: Sampler = oneStep(({ x, from, to, key, denoiser }) => {
  const { x0 } = denoiser(x, from)
  const sample = to.sigma === 0 ? combine([to.alpha, x0]) : combine([to.alpha, x0], [to.sigma, noiseLike(x, key)])
  return { sample, predictedX0: x0 }
})
