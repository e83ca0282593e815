import { add, multiply, scalar } from '../../src/kernel/binary.ts'
import { layerNorm, layerNormPullback } from '../../src/kernel/layerNorm.ts'
import { reduceTo } from '../../src/kernel/reduce.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Hidden } from '../hidden.ts'

/** As in DiT's and PyTorch's layer norms without parameters. */
const EPSILON = 1e-6

/**
 * (x, shift, scale) -> x̂ ⊙ (1 + scale) + shift, with x̂ = (x - μ) / √(σ² + ε) along the width: a layer norm whose weight and bias are a function of the
 * condition, not parameters. x is (batch, time, width), shift and scale (batch, 1, width). Source: Perez et al., arXiv 1709.07871;
 * Peebles & Xie, arXiv 2212.09748, 3.2. Laws D4, D5.
 */
export const adaptiveLayerNorm: Operator<readonly [Hidden, Hidden, Hidden], Hidden> = (_, [x, shift, scale]) => {
  const { normal, weight, mean, deviation } = scope(() => {
    const { value, mean, deviation } = layerNorm(x, null, null, EPSILON)
    return { normal: value, weight: add(scale, scalar(scale, 1)), mean, deviation }
  })
  return {
    value: scope(() => add(multiply(normal, weight), shift)),
    state: {},
    saved: [x, normal, weight, mean, deviation],
    pullback: dy => {
      const { dx } = scope(() => layerNormPullback(multiply(dy, weight), x, null, false, { mean, deviation }))
      return [{}, [dx, reduceTo(dy, shift.shape), scope(() => reduceTo(multiply(dy, normal), scale.shape))]]
    },
  }
}
