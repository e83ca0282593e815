import type { BinaryOp, Broadcast } from '../engine/primitives.ts'
import { ShapeError } from '../errors.ts'
import { type Axes, empty, type Shape, sizeOf, type Tensor, tensor } from '../tensor/tensor.ts'
import { sameShape } from './axis.ts'
import { launch } from './launch.ts'

/** The common shape of two, aligned at the last axis; an axis of length 1 or a missing one stretches. */
export const broadcastShape = (x: Shape, y: Shape): Shape => {
  const rank = Math.max(x.length, y.length)
  return Array.from({ length: rank }, (_, i) => {
    const a = x[x.length - rank + i] ?? 1
    const b = y[y.length - rank + i] ?? 1
    if (a !== b && a !== 1 && b !== 1)
      throw new ShapeError(`shapes [${x}] and [${y}] do not broadcast: ${a} against ${b}`)
    return a === 1 ? b : a
  })
}

const stridesIn = (shape: Shape, result: Shape): number[] => {
  let stride = 1
  const strides = new Array<number>(result.length).fill(0)
  for (let i = 1; i <= shape.length; i++) {
    const length = shape[shape.length - i]
    strides[result.length - i] = length === 1 ? 0 : stride
    stride *= length
  }
  return strides
}

/** Strides of both operands over the result, adjacent axes merged where both run on. */
const broadcastOf = (x: Shape, y: Shape, result: Shape): Broadcast => {
  if (sameShape(x, y)) return { shape: [sizeOf(result)], x: [1], y: [1] }
  const xs = stridesIn(x, result)
  const ys = stridesIn(y, result)
  const merged = { shape: [] as number[], x: [] as number[], y: [] as number[] }
  for (let i = result.length - 1; i >= 0; i--) {
    const length = result[i]
    const [inner] = merged.shape
    if (length === 1 && inner !== undefined) continue
    // At the innermost axis nothing equals NaN.
    if (xs[i] === merged.x[0] * inner && ys[i] === merged.y[0] * inner) merged.shape[0] *= length
    else {
      merged.shape.unshift(length)
      merged.x.unshift(xs[i])
      merged.y.unshift(ys[i])
    }
  }
  return merged.shape.length === 0 ? { shape: [1], x: [0], y: [0] } : merged
}

/** z = op(x, y), shapes broadcast as in NumPy; the result carries x's axes. Adjoint: `reduceTo`. */
export const binary = <A extends Axes>(op: BinaryOp, x: Tensor<A>, y: Tensor): Tensor<A> => {
  const shape = sameShape(x.shape, y.shape) ? x.shape : broadcastShape(x.shape, y.shape)
  const z = empty<A>(x.engine, shape)
  launch(x.engine, z.size, x, y, z)
  x.engine.primitives.binary(op, z.storage, x.storage, y.storage, broadcastOf(x.shape, y.shape, shape))
  return z
}

export const add = <A extends Axes>(x: Tensor<A>, y: Tensor): Tensor<A> => binary('add', x, y)
export const subtract = <A extends Axes>(x: Tensor<A>, y: Tensor): Tensor<A> => binary('subtract', x, y)
export const multiply = <A extends Axes>(x: Tensor<A>, y: Tensor): Tensor<A> => binary('multiply', x, y)
export const divide = <A extends Axes>(x: Tensor<A>, y: Tensor): Tensor<A> => binary('divide', x, y)

/** A rank-0 constant beside x, for arithmetic with a number. */
export const scalar = (beside: Tensor, value: number): Tensor<readonly []> =>
  tensor<readonly []>(beside.engine, [], [value])

/** 1 - x. */
export const oneMinus = <A extends Axes>(x: Tensor<A>): Tensor<A> => subtract(scalar(x, 1), x).share<A>()

/** c x. */
export const scale = <A extends Axes>(x: Tensor<A>, factor: number): Tensor<A> => multiply(x, scalar(x, factor))
