/**
 * A point of a noising path: x = alpha x0 + sigma ε with ε ~ N(0, I). Everything here that denoises knows the path by its levels alone, so one
 * sampler serves
 *
 *   variance preserving   alpha = √ᾱ, sigma = √(1 - ᾱ)     Ho et al., arXiv 2006.11239
 *   variance exploding    alpha = 1                          Song & Ermon, arXiv 1907.05600; Karras et al., arXiv 2206.00364
 *   rectified flow        alpha = 1 - t, sigma = t           Liu et al., arXiv 2209.03003
 */
export interface Level {
  /** What the model is told: the index of a discrete level, a flow's t, or sigma. */
  readonly time: number
  readonly alpha: number
  readonly sigma: number
}

/** No noise: where every sampling ends. */
export const clean: Level = { time: 0, alpha: 1, sigma: 0 }

/** Signal-to-noise ratio alpha² / sigma². */
export const signalToNoise = ({ alpha, sigma }: Level): number => (alpha / sigma) ** 2

/** sigma / alpha: the level's noise as seen on unscaled data. */
export const noiseRatio = ({ alpha, sigma }: Level): number => sigma / alpha
