import { ShapeError } from '../src/errors.ts'
import { lastLength } from '../src/kernel/axis.ts'
import { concat, slice } from '../src/kernel/slice.ts'
import type { Operator } from '../src/operator.ts'
import type { Hidden } from './hidden.ts'

const part = (joined: Hidden, parts: number, index: number): Hidden => {
  const width = lastLength(joined) / parts
  if (!Number.isInteger(width)) throw new ShapeError(`shape [${joined.shape}] has no last axis of ${parts} equal parts`)
  return slice(joined, -1, index * width, width)
}

/** Cuts the last axis in the middle; the pullback joins again (law D5). */
export const halves: Operator<Hidden, readonly [Hidden, Hidden]> = (_, x) => ({
  value: [part(x, 2, 0), part(x, 2, 1)],
  state: {},
  saved: [],
  pullback: d => [{}, concat<readonly ['batch', 'time', 'width']>(d, -1)],
})

/** Cuts the last axis into thirds. */
export const thirds: Operator<Hidden, readonly [Hidden, Hidden, Hidden]> = (_, x) => ({
  value: [part(x, 3, 0), part(x, 3, 1), part(x, 3, 2)],
  state: {},
  saved: [],
  pullback: d => [{}, concat<readonly ['batch', 'time', 'width']>(d, -1)],
})
