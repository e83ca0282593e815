/** Noise levels from `most` to `least` for solvers of few steps; sigma here is noise over signal, so add the clean level to end on data. */
import { InputError } from '../../../src/errors.ts'

export interface SigmaRange {
  readonly most: number
  readonly least: number
}

const spaced = (count: number, { most, least }: SigmaRange, at: (u: number) => number): number[] => {
  if (!(count >= 1 && least > 0 && most >= least))
    throw new InputError(`sigmas: expected count >= 1 and most >= least > 0, found ${count}, ${most}, ${least}`)
  return Array.from({ length: count }, (_, i) => at(count === 1 ? 0 : i / (count - 1)))
}

/** (most^{1/ρ} + u (least^{1/ρ} - most^{1/ρ}))^ρ with u = i / (count - 1) (Karras et al., arXiv 2206.00364, eq. 5; ρ = 7). */
export const karrasSigmas = (count: number, range: SigmaRange, rho = 7): number[] => {
  const [from, to] = [range.most ** (1 / rho), range.least ** (1 / rho)]
  return spaced(count, range, u => (from + u * (to - from)) ** rho)
}

/** most (least / most)^u: equal steps of log sigma (Song & Ermon, arXiv 1907.05600). */
export const exponentialSigmas = (count: number, range: SigmaRange): number[] =>
  spaced(count, range, u => range.most * (range.least / range.most) ** u)
