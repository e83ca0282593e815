import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, sizeOf, type Tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { add, multiply, subtract } from './binary.ts'
import { channelSum } from './convolution.ts'
import { layerNorm, layerNormPullback, type Normalized, type NormGradients } from './layerNorm.ts'

/** A number a channel, to stretch over (batch, channels, …). */
const perChannel = (x: Tensor, like: Tensor): Tensor => x.share([x.size, ...like.shape.slice(2).map(() => 1)])

/** x (batch, channels, …) as one row a group. */
const groupRows = (x: Tensor, groups: number): Tensor => {
  const [batch = 0, channels = 0, ...plane] = x.shape
  if (x.shape.length < 2 || channels % groups !== 0)
    throw new ShapeError(`groupNorm: ${groups} groups of channels do not fit shape [${x.shape}]`)
  return x.share([batch * groups, (channels / groups) * sizeOf(plane)])
}

/**
 * y = (x - μ) / √(σ² + ε) · weight + bias with μ and σ² of each group of channels of each image, weight and bias a number a channel.
 * Statistics are (batch · groups, 1). Source: Wu & He, arXiv 1803.08494.
 */
export const groupNorm = <A extends Axes>(
  x: Tensor<A>,
  groups: number,
  weight: Tensor,
  bias: Tensor,
  epsilon: number,
): Normalized<A> => {
  for (const p of [weight, bias]) expectShape('groupNorm parameter', p.shape, x.shape.slice(1, 2))
  return scope(() => {
    const { value, mean, deviation } = layerNorm(groupRows(x, groups), null, null, epsilon)
    const scaled = multiply(value.share<A>(x.shape), perChannel(weight, x))
    return { value: add(scaled, perChannel(bias, x)), mean, deviation }
  })
}

/** dx as that of layerNorm along a group, with dy · weight; dweight = Σ dy x̂ and dbias = Σ dy over images and positions. */
export const groupNormPullback = <A extends Axes>(
  dy: Tensor<A>,
  x: Tensor<A>,
  groups: number,
  weight: Tensor,
  statistics: Pick<Normalized<A>, 'mean' | 'deviation'>,
): NormGradients<A> => {
  expectShape('groupNormPullback', dy.shape, x.shape)
  return scope(() => {
    const rows = groupRows(x, groups)
    const normal = multiply(subtract(rows, statistics.mean), statistics.deviation)
    const scaled = multiply(dy, perChannel(weight, x)).share(rows.shape)
    return {
      dx: layerNormPullback(scaled, rows, null, false, statistics).dx.share<A>(x.shape),
      dWeight: channelSum(multiply(dy, normal.share(x.shape))),
      dBias: channelSum(dy),
    }
  })
}
