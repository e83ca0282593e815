import { keyAt } from '../../src/context.ts'
import { add, multiply, scale } from '../../src/kernel/binary.ts'
import { exp } from '../../src/kernel/unary.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Planes } from '../convolution/planes.ts'
import { noiseLike } from '../diffusion/noise.ts'

/**
 * (μ, log σ²) -> μ + σ ε with ε drawn from the context's key: a sample through which gradients flow. Source: Kingma & Welling, arXiv 1312.6114, 2.4.
 * Laws D4, D5.
 */
export const reparametrize: Operator<readonly [Planes, Planes], Planes> = (c, [mean, logVariance]) => {
  const spread = scope(() => multiply(exp(scale(logVariance, 0.5)), noiseLike(mean, keyAt(c, 'noise'))))
  return {
    value: add(mean, spread),
    state: {},
    saved: [spread],
    pullback: d => [{}, [d, scope(() => scale(multiply(d, spread), 0.5))]],
  }
}
