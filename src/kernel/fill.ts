import type { Engine } from '../engine/engine.ts'
import { type Axes, empty, type Shape, type Tensor } from '../tensor/tensor.ts'
import { launch } from './launch.ts'

/** A tensor whose elements are all `value`. */
export const full = <const A extends Axes>(engine: Engine, shape: Shape, value: number): Tensor<A> => {
  const x = empty<A>(engine, shape)
  launch(engine, 0, x)
  engine.primitives.fill(x.storage, value, x.size)
  return x
}

export const zeros = <const A extends Axes>(engine: Engine, shape: Shape): Tensor<A> => full<A>(engine, shape, 0)

/** A copy with a storage of its own. */
export const duplicate = <A extends Axes>(x: Tensor<A>): Tensor<A> => {
  const y = empty<A>(x.engine, x.shape)
  launch(x.engine, 0, x, y)
  x.engine.primitives.copy(y.storage, x.storage, x.size)
  return y
}
