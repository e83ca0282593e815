import { fromAlphaBar, type NoiseSchedule } from './noiseSchedule.ts'

/**
 * The straight path of a rectified flow, x = (1 - u) x0 + u ε, scaled to unit variance: ᾱ(u) = (1 - u)² / ((1 - u)² + u²). Scaling changes neither x0 nor ε, so a
 * model of parametrization `velocity` learns the flow's dx/du here, and `euler` over evenly spaced times is the flow's Euler (Liu et al., arXiv 2209.03003). Law X1.
 */
export const flowSchedule = (steps = 1000): NoiseSchedule =>
  fromAlphaBar(steps, u => (1 - u) ** 2 / ((1 - u) ** 2 + u ** 2))
