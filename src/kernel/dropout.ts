import type { Engine } from '../engine/engine.ts'
import { InputError } from '../errors.ts'
import type { Key } from '../random.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Shape, type Tensor } from '../tensor/tensor.ts'
import { binary, multiply, scalar, scale } from './binary.ts'
import { launch } from './launch.ts'

/** The key's uniform numbers in [0, 1), the same bits on every engine (law R4). */
export const uniformTensor = <const A extends Axes>(engine: Engine, shape: Shape, key: Key): Tensor<A> => {
  const x = empty<A>(engine, shape)
  launch(engine, 0, x)
  engine.primitives.uniform(x.storage, key, x.size)
  return x
}

/**
 * Each element is zeroed with probability `rate`, the others divided by 1 - rate (Srivastava et al. 2014). Linear in x: the pullback is dropout
 * of dy under the same key. Law N9.
 */
export const dropout = <A extends Axes>(x: Tensor<A>, key: Key, rate: number): Tensor<A> => {
  if (!(rate >= 0 && rate < 1)) throw new InputError(`dropout rate: expected a number in [0, 1), found ${rate}`)
  const override = x.engine.fused.dropout
  if (override === undefined)
    return scope(() =>
      scale(
        multiply(x, binary('greaterEqual', uniformTensor(x.engine, x.shape, key), scalar(x, rate))),
        1 / (1 - rate),
      ),
    )
  const y = empty<A>(x.engine, x.shape)
  launch(x.engine, x.size, x, y)
  override(y.storage, x.storage, key, rate, x.size)
  return y
}
