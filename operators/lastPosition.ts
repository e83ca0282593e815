import { ShapeError } from '../src/errors.ts'
import { pad, slice } from '../src/kernel/slice.ts'
import type { Operator } from '../src/operator.ts'

import type { Hidden } from './hidden.ts'

/** Keeps the last position: (batch, time, width) -> (batch, 1, width). Between body and head, it spares a prefill all logits but the last. */
export const lastPosition: Operator<Hidden, Hidden> = (_, x) => {
  const time = x.shape[1]
  if (time === undefined || time === 0) throw new ShapeError(`lastPosition: shape [${x.shape}] has no position`)
  return time === 1
    ? { value: x, state: {}, saved: [], pullback: dy => [{}, dy] }
    : { value: slice(x, 1, time - 1, 1), state: {}, saved: [], pullback: dy => [{}, pad(dy, 1, time - 1, time)] }
}
