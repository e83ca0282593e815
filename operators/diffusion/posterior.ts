/**
 * q(x_t | x_s, x0) for a less noisy level t, by Bayes' rule on q(x_s | x_t) = N(a x_t, b²) and q(x_t | x0):
 *
 *   mean = (alpha_t b² / sigma_s²) x0 + (a sigma_t² / sigma_s²) x_s,   variance = sigma_t² b² / sigma_s²
 *
 * On adjacent levels: √ᾱ_{t-1} β_t / (1 - ᾱ_t), √α_t (1 - ᾱ_{t-1}) / (1 - ᾱ_t) and β̃_t (Ho et al., arXiv 2006.11239, eq. 6-7). Law X3.
 */
import type { Level } from './level.ts'
import { transition } from './qSample.ts'

export interface Posterior {
  /** What x0 counts in the mean. */
  readonly x0: number
  /** What the noisier sample counts in the mean. */
  readonly x: number
  readonly variance: number
}

export const posterior = (from: Level, to: Level): Posterior => {
  const { scale, variance } = transition(to, from)
  const whole = from.sigma ** 2
  return {
    x0: (to.alpha * variance) / whole,
    x: (scale * to.sigma ** 2) / whole,
    variance: (to.sigma ** 2 * variance) / whole,
  }
}
