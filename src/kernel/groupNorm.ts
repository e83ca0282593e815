import type { GroupNormSizes } from '../engine/fused.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, sizeOf, type Tensor } from '../tensor/tensor.ts'
import { expectShape, isPositive } from './axis.ts'
import { add, multiply, subtract } from './binary.ts'
import { channelSum } from './convolution.ts'
import { launch } from './launch.ts'
import {
  LAYER_NORM_FLOPS,
  LAYER_NORM_PULLBACK_FLOPS,
  layerNorm,
  layerNormPullback,
  type Normalized,
  type NormGradients,
} from './layerNorm.ts'
import { sum } from './reduce.ts'

/** A number a channel, to stretch over (batch, channels, …). */
const perChannel = (x: Tensor, like: Tensor): Tensor => x.share([x.size, ...like.shape.slice(2).map(() => 1)])

const sizesOf = (x: Tensor, groups: number): GroupNormSizes => {
  const [batch, channels, ...plane] = x.shape
  if (!isPositive(groups) || x.shape.length < 2 || channels % groups !== 0)
    throw new ShapeError(`groupNorm: ${groups} groups of channels do not fit shape [${x.shape}]`)
  return { rows: batch * groups, groups, channels: channels / groups, positions: sizeOf(plane) }
}

/** x (batch, channels, …) as one row a group. */
const asRows = (x: Tensor, { rows, channels, positions }: GroupNormSizes): Tensor =>
  x.share([rows, channels * positions])

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
  const sizes = sizesOf(x, groups)
  const override = x.engine.fused.groupNorm
  if (override === undefined)
    return scope(() => {
      const { value, mean, deviation } = layerNorm(asRows(x, sizes), null, null, epsilon)
      const scaled = multiply(value.share<A>(x.shape), perChannel(weight, x))
      return { value: add(scaled, perChannel(bias, x)), mean, deviation }
    })
  const value = empty<A>(x.engine, x.shape)
  const [mean, deviation] = [empty(x.engine, [sizes.rows, 1]), empty(x.engine, [sizes.rows, 1])]
  launch(x.engine, LAYER_NORM_FLOPS * x.size, x, weight, bias, value, mean, deviation)
  override(value.storage, mean.storage, deviation.storage, x.storage, weight.storage, bias.storage, epsilon, sizes)
  return { value, mean, deviation }
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
  expectShape('groupNormPullback weight', weight.shape, x.shape.slice(1, 2))
  const sizes = sizesOf(x, groups)
  const { mean, deviation } = statistics
  for (const statistic of [mean, deviation])
    expectShape('groupNormPullback statistics', statistic.shape, [sizes.rows, 1])
  const override = x.engine.fused.groupNormPullback
  if (override === undefined)
    return scope(() => {
      const rows = asRows(x, sizes)
      const normal = multiply(subtract(rows, mean), deviation).share(x.shape)
      const scaled = asRows(multiply(dy, perChannel(weight, x)), sizes)
      return {
        dx: layerNormPullback(scaled, rows, null, false, statistics).dx.share<A>(x.shape),
        dWeight: channelSum(multiply(dy, normal)),
        dBias: channelSum(dy),
      }
    })
  return scope(() => {
    const ofImages = x.shape.slice(0, 2)
    const dx = empty<A>(x.engine, x.shape)
    const [dWeights, dBiases] = [empty(x.engine, ofImages), empty(x.engine, ofImages)]
    launch(x.engine, LAYER_NORM_PULLBACK_FLOPS * x.size, dy, x, weight, mean, deviation, dx, dWeights, dBiases)
    override(
      dx.storage,
      dWeights.storage,
      dBiases.storage,
      dy.storage,
      x.storage,
      weight.storage,
      mean.storage,
      deviation.storage,
      sizes,
    )
    return { dx, dWeight: sum(dWeights, 0).share(weight.shape), dBias: sum(dBiases, 0).share(weight.shape) }
  })
}
