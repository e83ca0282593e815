import { InputError, ShapeError } from '../errors.ts'
import { type Shape, sizeOf } from './tensor.ts'

/** Token ids: host integers, not differentiable. Shape is usually (batch, time). */
export interface Tokens {
  readonly ids: Int32Array
  readonly shape: Shape
}

/** Ids in a shape: a ShapeError where they do not fit it, an InputError where one is no integer of 32 bits. */
export const tokens = (ids: ArrayLike<number>, shape: Shape = [1, ids.length]): Tokens => {
  if (ids.length !== sizeOf(shape))
    throw new ShapeError(`shape [${shape}] takes ${sizeOf(shape)} token ids, found ${ids.length}`)
  const whole = Int32Array.from(ids)
  for (let i = 0; i < whole.length; i++)
    if (whole[i] !== ids[i]) throw new InputError(`token id ${i}: expected an integer of 32 bits, found ${ids[i]}`)
  return { ids: whole, shape }
}
