import type { PoolSizes } from '../engine/window.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { empty, type Shape, type Tensor, tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { binary, multiply, oneMinus, scale, subtract } from './binary.ts'
import type { Planes } from './convolution.ts'
import { full } from './fill.ts'
import { scatterAdd } from './gather.ts'
import { launch } from './launch.ts'
import { permute } from './permute.ts'
import { max, sum } from './reduce.ts'
import { concat, slice } from './slice.ts'
import { elementsSeen, expectPlanes, type Pair, pairOf, patches, positionsSeeing, windowOf } from './window.ts'

export interface PoolOptions {
  /** The window's height and width. */
  readonly window: Pair
  /** The window's size unless given. */
  readonly stride?: Pair
  /** At most half a window, so that every window sees an element: 0. */
  readonly padding?: Pair
}

const sizesOf = (what: string, shape: Shape, { window, stride = window, padding = 0 }: PoolOptions): PoolSizes => {
  const [batch, channels] = shape
  const [height, width] = pairOf(window)
  const [around, beside] = pairOf(padding)
  if (2 * around > height || 2 * beside > width)
    throw new ShapeError(`${what}: padding [${padding}] is more than half of the window [${window}]`)
  if (shape.slice(2).includes(0)) throw new ShapeError(`${what}: a plane of shape [${shape}] has no element to see`)
  return { planes: batch * channels, ...windowOf(what, shape, window, { stride, padding }) }
}

const outputShape = (x: Shape, { outHeight, outWidth }: PoolSizes): Shape => [...x.slice(0, 2), outHeight, outWidth]
const windowLength = ({ kernelHeight, kernelWidth }: PoolSizes): number => kernelHeight * kernelWidth
const flopsOf = (s: PoolSizes): number => s.planes * s.outHeight * s.outWidth * windowLength(s)

/** (positions, planes) back to (batch, channels, height, width). */
const planesOf = (rows: Tensor, shape: Shape): Tensor<Planes> => {
  const [batch, channels, height, width] = shape
  return permute<Planes>(rows.share([height, width, batch, channels]), [2, 3, 0, 1])
}

/** The largest element under the window at each of its positions, as PyTorch's max_pool2d. */
export const maxPool = (x: Tensor, options: PoolOptions): Tensor<Planes> => {
  expectPlanes('maxPool', x)
  const sizes = sizesOf('maxPool', x.shape, options)
  const shape = outputShape(x.shape, sizes)
  const override = x.engine.fused.maxPool
  if (override === undefined)
    return scope(() => planesOf(max(patches(x, elementsSeen(sizes), windowLength(sizes), -Infinity), 0), shape))
  const y = empty<Planes>(x.engine, shape)
  launch(x.engine, flopsOf(sizes), x, y)
  override(y.storage, x.storage, sizes)
  return y
}

/** dy goes to the first element, row by row, that is the largest under its window; NaN is larger than all. */
export const maxPoolPullback = (dy: Tensor, x: Tensor, options: PoolOptions): Tensor<Planes> => {
  const [batch, channels, height, width] = expectPlanes('maxPoolPullback', x)
  const sizes = sizesOf('maxPoolPullback', x.shape, options)
  expectShape('maxPoolPullback', dy.shape, outputShape(x.shape, sizes))
  const override = x.engine.fused.maxPoolPullback
  if (override === undefined)
    return scope(() => {
      const [window, planes] = [windowLength(sizes), batch * channels]
      const ids = elementsSeen(sizes)
      const positions = ids.length / window
      const seen = patches(x, ids, window, -Infinity)
      const largest = max(seen, 0)
      const d = permute(dy, [2, 3, 0, 1]).share([1, positions, planes])
      let free: Tensor = full(x.engine, [1, positions, planes], 1)
      const given: Tensor[] = []
      // Beside a plane of -infinity, what lies around it is as large.
      const inside = tensor(
        x.engine,
        [window, positions, 1],
        Float64Array.from(ids, id => (id < height * width ? 1 : 0)),
      )
      for (let k = 0; k < window; k++) {
        const one = slice(seen, 0, k, 1)
        const isNumber = binary('greaterEqual', one, one)
        const isLargest = binary('maximum', binary('greaterEqual', one, largest), oneMinus(isNumber))
        const equal = multiply(isLargest, slice(inside, 0, k, 1))
        const takes = multiply(equal, free)
        free = subtract(free, takes)
        given.push(multiply(d, takes))
      }
      const [first, ...rest] = given
      const rows = scatterAdd(concat([first, ...rest], 0), { ids, shape: [window, positions] }, height * width + 1)
      return planesOf(slice(rows, 0, 0, height * width), x.shape)
    })
  const dx = empty<Planes>(x.engine, x.shape)
  launch(x.engine, flopsOf(sizes), dy, x, dx)
  override(dx.storage, dy.storage, x.storage, sizes)
  return dx
}

/** `factor` times the sum under the window; average pooling where factor = 1 / window. Adjoint: `spread`. */
export const sumPool = (x: Tensor, factor: number, options: PoolOptions): Tensor<Planes> => {
  expectPlanes('sumPool', x)
  const sizes = sizesOf('sumPool', x.shape, options)
  const shape = outputShape(x.shape, sizes)
  const override = x.engine.fused.sumPool
  if (override === undefined)
    return scope(() => planesOf(scale(sum(patches(x, elementsSeen(sizes), windowLength(sizes)), 0), factor), shape))
  const y = empty<Planes>(x.engine, shape)
  launch(x.engine, flopsOf(sizes), x, y)
  override(y.storage, x.storage, factor, sizes)
  return y
}

/**
 * `factor` times dy over every element of a plane [height, width] that its window sees: nearest upsampling where windows lie side by side
 * and factor = 1. Adjoint: `sumPool`.
 */
export const spread = (
  dy: Tensor,
  factor: number,
  plane: readonly [height: number, width: number],
  options: PoolOptions,
): Tensor<Planes> => {
  const [batch, channels] = expectPlanes('spread', dy)
  const shape = [batch, channels, ...plane]
  const sizes = sizesOf('spread', shape, options)
  expectShape('spread', dy.shape, outputShape(shape, sizes))
  const override = dy.engine.fused.spread
  if (override === undefined)
    return scope(() => planesOf(scale(sum(patches(dy, positionsSeeing(sizes), windowLength(sizes)), 0), factor), shape))
  const dx = empty<Planes>(dy.engine, shape)
  launch(dy.engine, flopsOf(sizes), dy, dx)
  override(dx.storage, dy.storage, factor, sizes)
  return dx
}
