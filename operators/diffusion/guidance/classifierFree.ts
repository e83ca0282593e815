import { subtract } from '../../../src/kernel/binary.ts'
import { concat, split } from '../../../src/kernel/slice.ts'
import { scope } from '../../../src/tensor/scope.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import { combine } from '../combine.ts'
import type { Predict } from '../denoiser.ts'
import type { Level } from '../level.ts'

/**
 * unconditional + w (conditional - unconditional): w = 0 is unconditional, 1 conditional, more than 1 exaggerates the condition. It is affine in the prediction,
 * so every parametrization is guided alike. `weight` may depend on the level (guidance in an interval, arXiv 2404.07724); where it is 0 or 1 one of the two
 * is not asked. A learnt variance behind the prediction is not guided: it is the conditional's. Source: Ho & Salimans, arXiv 2207.12598, eq. 6 (their w is ours less 1). Law X8.
 */
export const classifierFree =
  (conditional: Predict, unconditional: Predict, weight: number | ((at: Level) => number)): Predict =>
  (x, at) => {
    const w = typeof weight === 'number' ? weight : weight(at)
    if (w === 0) return unconditional(x, at)
    if (w === 1) return conditional(x, at)
    return scope(() => {
      const [base] = parts(unconditional(x, at), x)
      const [told, ...variance] = parts(conditional(x, at), x)
      const guided = combine([1, base], [w, subtract(told, base)])
      return variance.length === 0 ? guided : concat([guided, ...variance], 1)
    })
  }

/** The prediction, of x's channels, and what follows it. */
const parts = (output: Tensor, x: Tensor): readonly [Tensor, ...Tensor[]] => {
  const [channels, all] = [x.shape[1], output.shape[1]]
  if (all === channels) return [output]
  const [prediction, variance] = split(output, 1, [channels, all - channels])
  return [prediction, variance]
}
