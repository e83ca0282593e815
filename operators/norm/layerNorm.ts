import { type Context, onesInit, parameter, zerosInit } from '../../src/context.ts'
import { lastLength } from '../../src/kernel/axis.ts'
import { layerNormPullback, layerNorm as normalize } from '../../src/kernel/layerNorm.ts'
import type { Pulled } from '../../src/operator.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'

export interface LayerNormOptions {
  /** Parameters are `<name>.weight` and `<name>.bias`, both of the last axis' length. */
  readonly name: string
  readonly bias: boolean
  readonly epsilon: number
}

/** (x - μ) / √(σ² + ε) ⊙ weight + bias along the last axis (Ba et al., arXiv 1607.06450). Laws N1, N4. */
export const layerNorm =
  ({ name, bias, epsilon }: LayerNormOptions) =>
  <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const weight = parameter(c, `${name}.weight`, [lastLength(x)], onesInit)
    const shift = bias ? parameter(c, `${name}.bias`, [lastLength(x)], zerosInit) : null
    const [weightPath, biasPath] = [`${c.path}${name}.weight`, `${c.path}${name}.bias`]
    const normalized = normalize(x, weight, shift, epsilon)
    return {
      value: normalized.value,
      state: {},
      saved: [x, normalized.mean, normalized.deviation],
      pullback: dy => {
        const { dx, dWeight, dBias } = layerNormPullback(dy, x, weight, bias, normalized)
        const gradients: Record<string, Tensor> = {}
        if (dWeight !== null) gradients[weightPath] = dWeight
        if (dBias !== null) gradients[biasPath] = dBias
        return [gradients, dx]
      },
    }
  }
