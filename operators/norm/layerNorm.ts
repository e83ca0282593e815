import { type Context, gradientsOf, onesInit, parameter, zerosInit } from '../../src/context.ts'
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
export const layerNorm = ({ name, bias, epsilon }: LayerNormOptions) => {
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  return <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const columns = [lastLength(x)]
    const weight = parameter(c, weightName, columns, onesInit)
    const shift = bias ? parameter(c, biasName, columns, zerosInit) : null
    const normalized = normalize(x, weight, shift, epsilon)
    return {
      value: normalized.value,
      state: {},
      saved: [x, normalized.mean, normalized.deviation],
      pullback: dy => {
        const { dx, dWeight, dBias } = layerNormPullback(dy, x, weight, bias, normalized)
        return [gradientsOf(c, [weightName, dWeight], [biasName, dBias]), dx]
      },
    }
  }
}
