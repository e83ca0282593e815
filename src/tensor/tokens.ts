import { ShapeError } from '../errors.ts'
import { type Shape, sizeOf } from './tensor.ts'

/** Token ids: host integers, not differentiable. Shape is usually (batch, time). */
export interface Tokens {
  readonly ids: Int32Array
  readonly shape: Shape
}

export const tokens = (ids: ArrayLike<number>, shape: Shape = [1, ids.length]): Tokens => {
  if (ids.length !== sizeOf(shape))
    throw new ShapeError(`shape [${shape}] takes ${sizeOf(shape)} token ids, found ${ids.length}`)
  return { ids: Int32Array.from(ids), shape }
}
