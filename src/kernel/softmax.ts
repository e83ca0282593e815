import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, rowsOf } from './axis.ts'
import { binary, divide, multiply, scalar, subtract } from './binary.ts'
import { launch } from './launch.ts'
import { max, sum } from './reduce.ts'
import { exp } from './unary.ts'

/** Stands for the maximum of a row that holds only -infinity, so that no difference of infinities arises. */
const LOWEST = -3e38

/** Of an element: maximum, difference, power, sum and quotient. */
export const SOFTMAX_FLOPS = 5
/** Product, sum, difference and product. */
export const SOFTMAX_PULLBACK_FLOPS = 4

/**
 * y = exp(x - max x) / sum exp(x - max x) along the last axis. A row of -infinity only gives zeros (law A4): the maximum is bounded below and
 * the sum, at least 1 wherever one entry is finite, is bounded by 1. Laws A1, A2, A4. Source: Milakov & Gimelshein, arXiv 1805.02867.
 */
export const softmax = <A extends Axes>(x: Tensor<A>): Tensor<A> => {
  const override = x.engine.fused.softmax
  if (override === undefined) return derivedSoftmax(x)
  const y = empty<A>(x.engine, x.shape)
  launch(x.engine, SOFTMAX_FLOPS * x.size, x, y)
  override(y.storage, x.storage, rowsOf(x))
  return y
}

const derivedSoftmax = <A extends Axes>(x: Tensor<A>): Tensor<A> =>
  scope(() => {
    const highest = binary('maximum', max(x, -1), scalar(x, LOWEST))
    const powers = exp(subtract(x, highest))
    return divide(powers, binary('maximum', sum(powers, -1), scalar(x, 1)))
  })

/** dx = y (dy - sum(dy y)). */
export const softmaxPullback = <A extends Axes>(dy: Tensor<A>, y: Tensor<A>): Tensor<A> => {
  expectShape('softmaxPullback', dy.shape, y.shape)
  const override = y.engine.fused.softmaxPullback
  if (override === undefined) return scope(() => multiply(y, subtract(dy, sum(multiply(dy, y), -1))))
  const dx = empty<A>(y.engine, y.shape)
  launch(y.engine, SOFTMAX_PULLBACK_FLOPS * y.size, dy, y, dx)
  override(dx.storage, dy.storage, y.storage, rowsOf(y))
  return dx
}
