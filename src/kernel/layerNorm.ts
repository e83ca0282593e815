import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Shape, type Tensor } from '../tensor/tensor.ts'
import { expectShape, lastLength, replaceAt, rowsOf } from './axis.ts'
import { add, multiply, scalar, scale, subtract } from './binary.ts'
import { launch } from './launch.ts'
import { reduceTo, sum } from './reduce.ts'
import { square, unary } from './unary.ts'

/** Of an element: the sum; for the variance difference, square and sum; difference, deviation, weight and bias. */
export const LAYER_NORM_FLOPS = 8
/** x̂ 2, g 1, both means 3, dx 4, dWeight 2, dBias 1. */
export const LAYER_NORM_PULLBACK_FLOPS = 13

export interface Normalized<A extends Axes> {
  readonly value: Tensor<A>
  /** Row means, (…, 1). */
  readonly mean: Tensor
  /** Reciprocal row deviations 1 / √(σ² + ε), (…, 1). */
  readonly deviation: Tensor
}

/** One number a row. */
export const statisticsShape = (x: Tensor): Shape => replaceAt(x.shape, x.shape.length - 1, 1)

/**
 * y = (x - μ) / √(σ² + ε) · weight + bias along the last axis, σ² the biased variance. Source: Ba et al., arXiv 1607.06450. Laws N1, N4.
 * f32 bound: |error| ≤ γ_n (|x| + |μ|) / √(σ² + ε) · |weight| for rows of n elements.
 */
export const layerNorm = <A extends Axes>(
  x: Tensor<A>,
  weight: Tensor | null,
  bias: Tensor | null,
  epsilon: number,
): Normalized<A> => {
  const columns = [lastLength(x)]
  if (weight !== null) expectShape('layerNorm weight', weight.shape, columns)
  if (bias !== null) expectShape('layerNorm bias', bias.shape, columns)
  const override = x.engine.fused.layerNorm
  if (override === undefined) return derivedLayerNorm(x, weight, bias, epsilon)
  const value = empty<A>(x.engine, x.shape)
  const statistics = statisticsShape(x)
  const mean = empty(x.engine, statistics)
  const deviation = empty(x.engine, statistics)
  launch(x.engine, LAYER_NORM_FLOPS * x.size, x, weight, bias, value, mean, deviation)
  override(
    value.storage,
    mean.storage,
    deviation.storage,
    x.storage,
    weight?.storage ?? null,
    bias?.storage ?? null,
    epsilon,
    rowsOf(x),
  )
  return { value, mean, deviation }
}

const derivedLayerNorm = <A extends Axes>(
  x: Tensor<A>,
  weight: Tensor | null,
  bias: Tensor | null,
  epsilon: number,
): Normalized<A> =>
  scope(() => {
    const share = 1 / lastLength(x)
    const mean = scale(sum(x, -1), share)
    const centred = subtract(x, mean)
    const deviation = unary('reciprocalSqrt', add(scale(sum(square(centred), -1), share), scalar(x, epsilon)))
    const normal = multiply(centred, deviation)
    const scaled = weight === null ? normal : multiply(normal, weight)
    return { value: bias === null ? scaled : add(scaled, bias), mean, deviation }
  })

export interface NormGradients<A extends Axes> {
  readonly dx: Tensor<A>
  readonly dWeight: Tensor | null
  readonly dBias: Tensor | null
}

/** With x̂ = (x - μ) / σ and g = dy · weight: dx = (g - mean(g) - x̂ mean(g x̂)) / σ, dWeight = Σ dy x̂, dBias = Σ dy. */
export const layerNormPullback = <A extends Axes>(
  dy: Tensor<A>,
  x: Tensor<A>,
  weight: Tensor | null,
  hasBias: boolean,
  { mean, deviation }: Pick<Normalized<A>, 'mean' | 'deviation'>,
): NormGradients<A> => {
  expectShape('layerNormPullback', dy.shape, x.shape)
  for (const statistic of [mean, deviation])
    expectShape('layerNormPullback statistics', statistic.shape, statisticsShape(x))
  const override = x.engine.fused.layerNormPullback
  const columns = [lastLength(x)]
  if (override === undefined)
    return scope(() => {
      const normal = multiply(subtract(x, mean), deviation)
      const dWeight = weight === null ? null : reduceTo(multiply(dy, normal), columns)
      return {
        dx: pullThrough(dy, normal, weight, deviation, true),
        dWeight,
        dBias: hasBias ? reduceTo(dy, columns) : null,
      }
    })
  const dx = empty<A>(x.engine, x.shape)
  const dWeight = weight === null ? null : empty(x.engine, columns)
  const dBias = hasBias ? empty(x.engine, columns) : null
  launch(x.engine, LAYER_NORM_PULLBACK_FLOPS * x.size, dy, x, weight, mean, deviation, dx, dWeight, dBias)
  override(
    dx.storage,
    dWeight?.storage ?? null,
    dBias?.storage ?? null,
    dy.storage,
    x.storage,
    weight?.storage ?? null,
    mean.storage,
    deviation.storage,
    rowsOf(x),
  )
  return { dx, dWeight, dBias }
}

/** (g - [mean(g)] - x̂ mean(g x̂)) / σ: layerNorm centres, rmsNorm does not. */
export const pullThrough = <A extends Axes>(
  dy: Tensor<A>,
  normal: Tensor<A>,
  weight: Tensor | null,
  deviation: Tensor,
  centres: boolean,
): Tensor<A> => {
  const share = 1 / lastLength(normal)
  const g = weight === null ? dy : multiply(dy, weight)
  const along = multiply(normal, scale(sum(multiply(g, normal), -1), share))
  const rest = subtract(g, along)
  return multiply(centres ? subtract(rest, scale(sum(g, -1), share)) : rest, deviation)
}
