import { type Context, gradientsOf, onesInit, parameter, zerosInit } from '../../src/context.ts'
import { layerNormPullback, layerNorm as normalize } from '../../src/kernel/layerNorm.ts'
import type { Pulled } from '../../src/operator.ts'
import { type Axes, type Shape, sizeOf, type Tensor } from '../../src/tensor/tensor.ts'

export interface LayerNormOptions {
  /** Parameters are `<name>.weight` and `<name>.bias`, both of the last axes' lengths. */
  readonly name: string
  /** How many of the last axes are normalised together: 1. */
  readonly axes?: number
  readonly bias: boolean
  readonly epsilon: number
}

/** (x - μ) / √(σ² + ε) ⊙ weight + bias along the last axes (Ba et al., arXiv 1607.06450). Laws N1, N4. */
export const layerNorm = ({ name, axes = 1, bias, epsilon }: LayerNormOptions) => {
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  return <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const shape = x.shape.slice(-axes)
    /** As one row of the last axes. */
    const joined = <B extends Axes>(t: Tensor<B>): Tensor<B> =>
      axes === 1 ? t : t.share<B>([...t.shape.slice(0, -axes), sizeOf(shape)])
    const weight = joined(parameter(c, weightName, shape, onesInit))
    const shift = bias ? joined(parameter(c, biasName, shape, zerosInit)) : null
    const rows = joined(x)
    const normalized = normalize(rows, weight, shift, epsilon)
    /** Back to the shape of a value or a parameter. */
    const apart = <B extends Axes>(t: Tensor<B>, to: Shape): Tensor<B> => (axes === 1 ? t : t.share<B>(to))
    return {
      value: apart(normalized.value, x.shape),
      state: {},
      saved:
        axes === 1 ? [x, normalized.mean, normalized.deviation] : [rows, weight, normalized.mean, normalized.deviation],
      pullback: dy => {
        const { dx, dWeight, dBias } = layerNormPullback(joined(dy), rows, weight, bias, normalized)
        const own = (d: Tensor | null): Tensor | null => (d === null ? null : apart(d, shape))
        return [gradientsOf(c, [weightName, own(dWeight)], [biasName, own(dBias)]), apart(dx, x.shape)]
      },
    }
  }
}
