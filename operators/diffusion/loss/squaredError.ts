import { multiply, scale, subtract } from '../../../src/kernel/binary.ts'
import { dot } from '../../../src/kernel/dot.ts'
import type { Operator } from '../../../src/operator.ts'
import { scope } from '../../../src/tensor/scope.ts'
import type { Axes, Tensor } from '../../../src/tensor/tensor.ts'
import { combine } from '../combine.ts'

/**
 * Mean over all elements of w (x - target)², one weight w a row of the first axis, 1 unless given: (batch, …) -> rank 0. The pullback is
 * 2 w (x - target) / size. Laws D4, D9.
 */
export const squaredError =
  <A extends Axes>(target: Tensor<A>, weights?: readonly number[]): Operator<Tensor<A>, Tensor<readonly []>> =>
  (_, x) => {
    const { value, weighted } = scope(() => {
      const error = subtract(x, target)
      const weighted = weights === undefined ? error : combine([weights, error])
      return { value: scale(dot(error, weighted), 1 / x.size), weighted: weighted.share<A>() }
    })
    return {
      value,
      state: {},
      saved: [weighted],
      pullback: d => [{}, scope(() => multiply(scale(weighted, 2 / x.size), d))],
    }
  }
