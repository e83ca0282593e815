import { add, multiply, scalar, scale, subtract } from '../../src/kernel/binary.ts'
import { total } from '../../src/kernel/reduce.ts'
import { exp, square } from '../../src/kernel/unary.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import type { Planes } from '../convolution/planes.ts'

/**
 * (μ, log σ²) -> KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² - 1 - log σ²), summed over a row and averaged over rows: nats, rank 0. Never negative, 0 for μ = 0 and
 * σ = 1 alone. Source: Kingma & Welling, arXiv 1312.6114, appendix B. Laws X9, D4.
 */
export const gaussianKl: Operator<readonly [Planes, Planes], Tensor<readonly []>> = (_, [mean, logVariance]) => {
  const share = 1 / (2 * mean.shape[0])
  const { value, excess } = scope(() => {
    // σ² - 1
    const excess = subtract(exp(logVariance), scalar(logVariance, 1))
    return { value: scale(total(add(square(mean), subtract(excess, logVariance))), share), excess }
  })
  return {
    value,
    state: {},
    saved: [mean, excess],
    pullback: d => [{}, scope(() => [multiply(scale(mean, 2 * share), d), multiply(scale(excess, share), d)] as const)],
  }
}
