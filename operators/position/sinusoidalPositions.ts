import { ShapeError } from '../../src/errors.ts'
import { add } from '../../src/kernel/binary.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'

import type { Hidden } from '../hidden.ts'

/**
 * PE(p, 2i) = sin(p / 10000^(2i/width)), PE(p, 2i + 1) = cos of the same; rows of positions offset … offset + time - 1, row-major.
 * Source: Vaswani et al., arXiv 1706.03762, 3.5. Law N5.
 */
export const sinusoidalTable = (offset: number, time: number, width: number): Float64Array => {
  if (width % 2 !== 0) throw new ShapeError(`sinusoidal positions: width ${width} is odd`)
  const table = new Float64Array(time * width)
  for (let p = 0; p < time; p++)
    for (let i = 0; i < width; i += 2) {
      const angle = (offset + p) / 10000 ** (i / width)
      table[p * width + i] = Math.sin(angle)
      table[p * width + i + 1] = Math.cos(angle)
    }
  return table
}

/** x + PE. */
export const sinusoidalPositions: Operator<Hidden, Hidden> = (c, x) => {
  const [, time, width] = x.shape
  const value = scope(() => add(x, tensor(x.engine, [time, width], sinusoidalTable(c.offset, time, width))))
  return { value, state: {}, saved: [], pullback: dy => [{}, dy] }
}
