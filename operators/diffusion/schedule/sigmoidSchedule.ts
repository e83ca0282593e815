import { fromAlphaBar, type NoiseSchedule } from './noiseSchedule.ts'

export interface SigmoidOptions {
  readonly start?: number
  readonly end?: number
  readonly temperature?: number
}

/**
 * ᾱ(u) = (σ(end/τ) - σ((start + u (end - start))/τ)) / (σ(end/τ) - σ(start/τ)) with σ the logistic function, β at most 0.999
 * (Jabri, Fleet & Chen, arXiv 2212.11972, algorithm 1; start -3, end 3, τ 1). Law X1.
 */
export const sigmoidSchedule = (
  steps = 1000,
  { start = -3, end = 3, temperature = 1 }: SigmoidOptions = {},
): NoiseSchedule => {
  const logistic = (x: number): number => 1 / (1 + Math.exp(-x / temperature))
  const [first, last] = [logistic(start), logistic(end)]
  return fromAlphaBar(steps, u => (last - logistic(start + u * (end - start))) / (last - first))
}
