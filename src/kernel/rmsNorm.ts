import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, lastLength, rowsOf } from './axis.ts'
import { add, multiply, scalar, scale } from './binary.ts'
import { launch } from './launch.ts'
import { type Normalized, type NormGradients, pullThrough, statisticsShape } from './layerNorm.ts'
import { reduceTo, sum } from './reduce.ts'
import { square, unary } from './unary.ts'

/** Of an element: square, sum, deviation and weight. */
const FLOPS = 4
/** x̂ 1, g 1, the mean 2, dx 3, dWeight 2. */
const PULLBACK_FLOPS = 9

type Scaled<A extends Axes> = Pick<Normalized<A>, 'value' | 'deviation'>

/**
 * y = x / √(mean(x²) + ε) · weight along the last axis. Source: Zhang & Sennrich, arXiv 1910.07467. Law N2.
 * f32 bound: |error| ≤ γ_n |y| for rows of n elements.
 */
export const rmsNorm = <A extends Axes>(x: Tensor<A>, weight: Tensor | null, epsilon: number): Scaled<A> => {
  if (weight !== null) expectShape('rmsNorm weight', weight.shape, [lastLength(x)])
  const override = x.engine.fused.rmsNorm
  if (override === undefined) return derivedRmsNorm(x, weight, epsilon)
  const value = empty<A>(x.engine, x.shape)
  const deviation = empty(x.engine, statisticsShape(x))
  launch(x.engine, FLOPS * x.size, x, weight, value, deviation)
  override(value.storage, deviation.storage, x.storage, weight?.storage ?? null, epsilon, rowsOf(x))
  return { value, deviation }
}

const derivedRmsNorm = <A extends Axes>(x: Tensor<A>, weight: Tensor | null, epsilon: number): Scaled<A> =>
  scope(() => {
    const deviation = unary('reciprocalSqrt', add(scale(sum(square(x), -1), 1 / lastLength(x)), scalar(x, epsilon)))
    const normal = multiply(x, deviation)
    return { value: weight === null ? normal : multiply(normal, weight), deviation }
  })

/** With x̂ = x / r and g = dy · weight: dx = (g - x̂ mean(g x̂)) / r, dWeight = Σ dy x̂. */
export const rmsNormPullback = <A extends Axes>(
  dy: Tensor<A>,
  x: Tensor<A>,
  weight: Tensor | null,
  deviation: Tensor,
): Pick<NormGradients<A>, 'dx' | 'dWeight'> => {
  expectShape('rmsNormPullback', dy.shape, x.shape)
  expectShape('rmsNormPullback deviation', deviation.shape, statisticsShape(x))
  const override = x.engine.fused.rmsNormPullback
  const columns = [lastLength(x)]
  if (override === undefined)
    return scope(() => {
      const normal = multiply(x, deviation)
      return {
        dx: pullThrough(dy, normal, weight, deviation, false),
        dWeight: weight === null ? null : reduceTo(multiply(dy, normal), columns),
      }
    })
  const dx = empty<A>(x.engine, x.shape)
  const dWeight = weight === null ? null : empty(x.engine, columns)
  launch(x.engine, PULLBACK_FLOPS * x.size, dy, x, weight, deviation, dx, dWeight)
  override(
    dx.storage,
    dWeight?.storage ?? null,
    dy.storage,
    x.storage,
    weight?.storage ?? null,
    deviation.storage,
    rowsOf(x),
  )
  return { dx, dWeight }
}
