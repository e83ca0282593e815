import { ShapeError } from '../../src/errors.ts'
import { add } from '../../src/kernel/binary.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import type { Hidden } from '../hidden.ts'
import { sinusoidalTable } from './sinusoidalPositions.ts'

/**
 * Rows of a grid in reading order: the first half of the width is the sinusoidal table of the row, the second half that of the column.
 * Source: Dosovitskiy et al., arXiv 2010.11929, appendix D.4; Peebles & Xie, arXiv 2212.09748. Law N5.
 */
export const sinusoidalTable2d = (rows: number, columns: number, width: number): Float64Array => {
  if (width % 4 !== 0) throw new ShapeError(`sinusoidal positions of a grid: width ${width} is not a multiple of 4`)
  const half = width / 2
  const table = new Float64Array(rows * columns * width)
  const [ofRow, ofColumn] = [sinusoidalTable(0, rows, half), sinusoidalTable(0, columns, half)]
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const at = (row * columns + column) * width
      table.set(ofRow.subarray(row * half, (row + 1) * half), at)
      table.set(ofColumn.subarray(column * half, (column + 1) * half), at + half)
    }
  return table
}

/** x + the table, for a grid of so many rows flattened along time. */
export const sinusoidalPositions2d =
  (rows: number): Operator<Hidden, Hidden> =>
  (_, x) => {
    const [, time, width] = x.shape
    if (time % rows !== 0) throw new ShapeError(`sinusoidal positions of a grid: ${time} positions in ${rows} rows`)
    const value = scope(() => add(x, tensor(x.engine, [time, width], sinusoidalTable2d(rows, time / rows, width))))
    return { value, state: {}, saved: [], pullback: dy => [{}, dy] }
  }
