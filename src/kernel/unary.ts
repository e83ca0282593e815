import type { UnaryOp } from '../engine/primitives.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { launch } from './launch.ts'

/** y[i] = op(x[i]). */
export const unary = <A extends Axes>(op: UnaryOp, x: Tensor<A>): Tensor<A> => {
  const y = empty<A>(x.engine, x.shape)
  launch(x.engine, x.size, x, y)
  x.engine.primitives.unary(op, y.storage, x.storage, x.size)
  return y
}

export const negate = <A extends Axes>(x: Tensor<A>): Tensor<A> => unary('negate', x)
export const exp = <A extends Axes>(x: Tensor<A>): Tensor<A> => unary('exp', x)
export const log = <A extends Axes>(x: Tensor<A>): Tensor<A> => unary('log', x)
export const square = <A extends Axes>(x: Tensor<A>): Tensor<A> => unary('square', x)
