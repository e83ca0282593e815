import { ShapeError } from '../../src/errors.ts'
import { concat, slice } from '../../src/kernel/slice.ts'
import type { Operator } from '../../src/operator.ts'
import type { Planes } from '../convolution/planes.ts'

/** Planes cut in the middle of their channels; the pullback joins again (law D5). */
export const halvesOfChannels: Operator<Planes, readonly [Planes, Planes]> = (_, x) => {
  const half = x.shape[1] / 2
  if (!Number.isInteger(half)) throw new ShapeError(`shape [${x.shape}] has no two halves of channels`)
  return {
    value: [slice(x, 1, 0, half), slice(x, 1, half, half)],
    state: {},
    saved: [],
    pullback: d => [{}, concat<readonly ['batch', 'channels', 'height', 'width']>(d, 1)],
  }
}
