/**
 * DPM-Solver++(2M): with λ = log(alpha / sigma), h = λ' - λ, r = (λ - λ_before) / h,
 *
 *   D = (1 + 1/(2r)) x̂0 - 1/(2r) x̂0_before,   x' = (sigma' / sigma) x - alpha' (e^{-h} - 1) D
 *
 * Second order with one evaluation a step: the estimate before is remembered. The first step, one after another sampler's or after one that led nowhere (h = 0), and
 * one to sigma 0 are of first order, which is DDIM. Source: Lu et al., arXiv 2211.01095, algorithm 2. Law X7.
 */
import { scope } from '../../../src/tensor/scope.ts'
import { combine } from '../combine.ts'
import { type Level, noiseRatio } from '../level.ts'
import type { Sampler } from './sampler.ts'

/** λ' - λ; infinite where either end is pure noise or clean. */
const logStep = (from: Level, to: Level): number => Math.log(noiseRatio(from) / noiseRatio(to))

export const dpmSolver: Sampler = {
  init: () => [],
  step: ([before], { x, from, to, denoiser }) =>
    scope(() => {
      const { x0 } = denoiser(x, from)
      const gain = to.alpha * (1 - noiseRatio(to) / noiseRatio(from))
      const since = before === undefined ? 0 : logStep(before.at, from)
      const extrapolates = before !== undefined && to.sigma > 0 && Number.isFinite(since) && since !== 0
      const share = extrapolates ? logStep(from, to) / (2 * since) : 0
      const carried = to.sigma / from.sigma
      const sample = extrapolates
        ? combine([carried, x], [gain * (1 + share), x0], [-gain * share, before.x0])
        : combine([carried, x], [gain, x0])
      return [{ sample, predictedX0: x0 }, [{ at: from, x0 }]]
    }),
}
