/** G w Gᵀ of windows of 3 x 3, four columns of a matrix in the lanes of a vector. */
import {
  APART, BOTH_MIDDLE, MIDDLE_COLUMNS, MIDDLE_ROWS, NO_MIDDLE, PHASES, PLAIN, DOUBLED, pointsOf, SIDE,
} from './forms'
import { lanes } from './planes'
import { weightPoints } from './threeTaps'
import { middleWeight, outerWeight } from './twoTaps'

/** Bytes of a point's matrix (rows, columns), of all phases, and what is between two of them. */
@inline
export function matrixOf(form: i32, rows: i32, columns: i32): usize {
  return (<usize>((form == PLAIN ? 1 : PHASES) * rows * columns) << 2) + APART
}

/**
 * points (groups, points, rows x columns and a line) from weight (groups, rows, columns, 3, 3), or for the gradient of the input (`turned`) from
 * (groups, columns, rows, 3, 3) with its windows turned half around. HALVED: phases of columns side by side; DOUBLED: phases of rows, one behind
 * the other. Rows `first` to `end` of all groups; `scratch` of 1 KB.
 */
export function winogradWeights(
  form: i32, points: usize, weight: usize, rows: i32, columns: i32, turned: i32, first: i32, end: i32, scratch: usize,
): void {
  const step = turned ? <usize>(rows * 9) << 2 : 36
  const plane = matrixOf(form, rows, columns)
  const rowStep = <usize>(form == PLAIN || form == DOUBLED ? columns : PHASES * columns) << 2
  const phase = <usize>(form == DOUBLED ? rows * columns : columns) << 2
  for (let row = first; row < end; row++) {
    const g = row / rows
    const r = row % rows
    const from = weight + (<usize>(turned ? (g * columns * rows + r) * 9 : row * columns * 9) << 2)
    const to = points + <usize>(g * pointsOf(form)) * plane + <usize>r * rowStep
    for (let c = 0; c < columns; c += 4) {
      const at = from + <usize>c * step
      for (let x: usize = 0; x < 3; x++) {
        const a = lanes(at + ((turned ? 8 - x : x) << 2), step)
        const b = lanes(at + ((turned ? 5 - x : 3 + x) << 2), step)
        const d = lanes(at + ((turned ? 2 - x : 6 + x) << 2), step)
        if (form == PLAIN) weightPoints(scratch + (x << 4), 48, a, b, d)
        else {
          outerWeight(scratch + (x << 4), 48, a, d)
          middleWeight(scratch + (x << 4) + 240, 48, b)
        }
      }
      if (form == PLAIN) acrossPlain(to + (<usize>c << 2), plane, scratch)
      else acrossPhases(to + (<usize>c << 2), plane, phase, scratch)
    }
  }
}

@inline
function acrossPlain(to: usize, plane: usize, scratch: usize): void {
  for (let y: usize = 0; y < 6; y++, to += 6 * plane) {
    const line = scratch + y * 48
    weightPoints(to, plane, v128.load(line), v128.load(line, 16), v128.load(line, 32))
  }
}

@inline
function acrossPhases(to: usize, plane: usize, phase: usize, scratch: usize): void {
  for (let y = 0; y < 9; y++) {
    const line = scratch + <usize>y * 48
    const middle = y >= SIDE
    const at = to + <usize>((middle ? y - SIDE : y) * SIDE) * plane
    outerWeight(
      at + phase * <usize>(middle ? MIDDLE_ROWS : NO_MIDDLE), plane, v128.load(line), v128.load(line, 32),
    )
    middleWeight(at + phase * <usize>(middle ? BOTH_MIDDLE : MIDDLE_COLUMNS), plane, v128.load(line, 16))
  }
}
