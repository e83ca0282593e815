/**
 * x ← alpha' x̂0 + √(sigma'² - s²) ε̂ + s z,   s = eta √(posterior variance)
 *
 * eta 0 is deterministic and the Euler method of the probability-flow ODE; eta 1 is ancestral. Steps may skip levels. With eta 0 a move to a
 * noisier level inverts one to a cleaner (encoding a picture as noise). Source: Song et al., arXiv 2010.02502, eq. 12 and 16. Law X6.
 */
import { combine } from '../combine.ts'
import { noiseLike } from '../noise.ts'
import { posterior } from '../posterior.ts'
import { oneStep, type Sampler } from './sampler.ts'

export const ddim = ({ eta = 0 }: { readonly eta?: number } = {}): Sampler =>
  oneStep(({ x, from, to, key, denoiser }) => {
    const { x0, noise } = denoiser(x, from)
    const spread = eta === 0 || to.sigma === 0 ? 0 : eta * Math.sqrt(posterior(from, to).variance)
    const kept = Math.sqrt(Math.max(0, to.sigma ** 2 - spread ** 2))
    const mean = combine([to.alpha, x0], [kept, noise])
    return { sample: spread === 0 ? mean : combine([1, mean], [spread, noiseLike(x, key)]), predictedX0: x0 }
  })
