import type { ReduceOp } from '../engine/primitives.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Shape, type Tensor } from '../tensor/tensor.ts'
import { axisOf, replaceAt, sameShape, viewOf } from './axis.ts'
import { add } from './binary.ts'
import { zeros } from './fill.ts'
import { launch } from './launch.ts'

/** Reduces one axis to length 1, in ascending order. The adjoint of a sum is broadcasting. */
export const reduce = <A extends Axes>(op: ReduceOp, x: Tensor<A>, axis: number): Tensor<A> => {
  const index = axisOf(x, axis)
  const y = empty<A>(x.engine, replaceAt(x.shape, index, 1))
  launch(x.engine, x.size, x, y)
  x.engine.primitives.reduce(op, y.storage, x.storage, viewOf(x, index))
  return y
}

export const sum = <A extends Axes>(x: Tensor<A>, axis: number): Tensor<A> => reduce('sum', x, axis)
export const max = <A extends Axes>(x: Tensor<A>, axis: number): Tensor<A> => reduce('max', x, axis)

/** Sum of all elements, rank 0. */
export const total = (x: Tensor): Tensor<readonly []> => scope(() => sum(x.share([x.size]), 0).share<readonly []>([]))

/** Adjoint of broadcasting to x's shape: sums the stretched axes away. */
export const reduceTo = <A extends Axes>(x: Tensor, shape: Shape): Tensor<A> =>
  scope(() => {
    let y: Tensor = x
    const lead = x.shape.length - shape.length
    for (let axis = 0; axis < x.shape.length; axis++) {
      const kept = axis < lead ? 1 : shape[axis - lead]
      if (kept === 1 && x.shape[axis] !== 1) y = sum(y, axis)
    }
    return y.share<A>(shape)
  })

/** x over a larger shape: the adjoint of `reduceTo`. */
export const broadcastTo = <A extends Axes>(x: Tensor, shape: Shape): Tensor<A> =>
  sameShape(x.shape, shape) ? x.share<A>() : scope(() => add(zeros<A>(x.engine, shape), x))
