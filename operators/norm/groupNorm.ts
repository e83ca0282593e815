import { type Context, gradientsOf, onesInit, parameter, zerosInit } from '../../src/context.ts'
import { groupNormPullback, groupNorm as normalize } from '../../src/kernel/groupNorm.ts'
import type { Pulled } from '../../src/operator.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'

export interface GroupNormOptions {
  /** Parameters are `<name>.weight` and `<name>.bias`, a number a channel. */
  readonly name: string
  /** The channels fall into this many groups: 1 is layer norm over an image, as many as channels instance norm. */
  readonly groups: number
  /** 1e-5 unless given, as PyTorch's. */
  readonly epsilon?: number
}

/** Normalises each group of channels of each image of (batch, channels, …) (Wu & He, arXiv 1803.08494). Laws D3, D4, N1 a group. */
export const groupNorm = ({ name, groups, epsilon = 1e-5 }: GroupNormOptions) => {
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  return <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    const channels = [x.shape[1]]
    const weight = parameter(c, weightName, channels, onesInit)
    const bias = parameter(c, biasName, channels, zerosInit)
    const normalized = normalize(x, groups, weight, bias, epsilon)
    return {
      value: normalized.value,
      state: {},
      saved: [x, normalized.mean, normalized.deviation],
      pullback: dy => {
        const { dx, dWeight, dBias } = groupNormPullback(dy, x, groups, weight, normalized)
        return [gradientsOf(c, [weightName, dWeight], [biasName, dBias]), dx]
      },
    }
  }
}
