import { ShapeError } from '../errors.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { launch } from './launch.ts'

/** Axis i of the result is axis order[i] of x. Adjoint: the inverse permutation. */
export const permute = <const B extends Axes>(x: Tensor, order: readonly number[]): Tensor<B> => {
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== x.shape.length)
    throw new ShapeError(`[${order}] is not an order of the axes of shape [${x.shape}]`)
  const y = empty<B>(
    x.engine,
    order.map(axis => x.shape[axis]),
  )
  launch(x.engine, 0, x, y)
  x.engine.primitives.permute(y.storage, x.storage, x.shape, order)
  return y
}

export const inverseOrder = (order: readonly number[]): number[] => {
  const inverse = new Array<number>(order.length).fill(0)
  order.forEach((axis, i) => {
    inverse[axis] = i
  })
  return inverse
}
