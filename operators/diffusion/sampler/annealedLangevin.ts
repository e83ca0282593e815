/**
 * Langevin dynamics x ← x + ½ δ score + √δ z at each level in turn, from the noisiest down: `repeats` steps with δ = rate (sigma / least)², then x is
 * handed on (times alpha' / alpha). The step to the clean level ends on Tweedie's x̂0.
 *
 * Source: Song & Ermon, arXiv 1907.05600, algorithm 1; the last step arXiv 2006.09011. Law X7.
 */
import { fold } from '../../../src/random.ts'
import { combine } from '../combine.ts'
import { noiseLike } from '../noise.ts'
import { scoreFactor } from './reverseSde.ts'
import { oneStep, type Sampler } from './sampler.ts'

export interface AnnealedLangevinOptions {
  /** δ at the least noisy level. */
  readonly rate: number
  /** Sigma of the least noisy level. */
  readonly least: number
  /** Steps at each level. */
  readonly repeats: number
}

export const annealedLangevin = ({ rate, least, repeats }: AnnealedLangevinOptions): Sampler =>
  oneStep(({ x, from, to, key, denoiser }) => {
    const delta = rate * (from.sigma / least) ** 2
    const drift = (delta / 2) * scoreFactor(from.sigma)
    let sample = x
    for (let i = 0; i < repeats; i++)
      sample = combine(
        [1, sample],
        [drift, denoiser(sample, from).noise],
        [Math.sqrt(delta), noiseLike(x, fold(key, i))],
      )
    const { x0 } = denoiser(sample, from)
    return { sample: to.sigma === 0 ? x0 : combine([to.alpha / from.alpha, sample]), predictedX0: x0 }
  })
