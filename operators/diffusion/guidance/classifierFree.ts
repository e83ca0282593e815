import { subtract } from '../../../src/kernel/binary.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { combine } from '../combine.ts'
import type { Predict } from '../denoiser.ts'
import type { Level } from '../level.ts'

/**
 * unconditional + w (conditional - unconditional): w = 0 is unconditional, 1 conditional, more than 1 exaggerates the condition. It is affine in the prediction,
 * so every parametrization is guided alike. `weight` may depend on the level (guidance in an interval, arXiv 2404.07724); where it is 0 or 1 one of the two
 * is not asked. Source: Ho & Salimans, arXiv 2207.12598, eq. 6 (their w is ours less 1). Law X8.
 */
export const classifierFree =
  (conditional: Predict, unconditional: Predict, weight: number | ((at: Level) => number)): Predict =>
  (x, at) => {
    const w = typeof weight === 'number' ? weight : weight(at)
    if (w === 0) return unconditional(x, at)
    if (w === 1) return conditional(x, at)
    return scope(() => {
      const base = unconditional(x, at)
      return combine([1, base], [w, subtract(conditional(x, at), base)])
    })
  }
