/**
 * Rows by token id. A gpu.js thread writes its own cell only, so `scatterAdd` gathers: ids are host numbers, sorted once, and
 * each row sums its own segment of them in their order. Ids travel as floats, exact below 2^24.
 */
import type { Primitives } from '../../primitives.ts'
import type { Launcher } from '../launcher.ts'
import { X, Y } from '../text.ts'

/** `positions` of the ids, stable by id; those of id r are positions[starts[r]] .. positions[starts[r + 1] - 1]. */
export const segments = (ids: Int32Array, rows: number): { starts: Float32Array; positions: Float32Array } => {
  const starts = new Float32Array(rows + 1)
  for (const id of ids) starts[id + 1]++
  for (let row = 0; row < rows; row++) starts[row + 1] += starts[row]
  const next = starts.slice()
  const positions = new Float32Array(ids.length)
  ids.forEach((id, i) => {
    positions[next[id]++] = i
  })
  return { starts, positions }
}

export const rowsById = ({ launch }: Launcher): Pick<Primitives, 'gather' | 'scatterAdd'> => ({
  gather: (out, table, ids, _rows, width) => {
    launch(
      out,
      'gather',
      [width, ids.length],
      () => ({ arrays: ['table', 'ids'], body: `return table[(ids[${Y}] | 0) * ${width} + ${X}];` }),
      [table, Float32Array.from(ids)],
    )
  },
  scatterAdd: (out, x, ids, rows, width) => {
    const { starts, positions } = segments(ids, rows)
    launch(
      out,
      'scatterAdd',
      [width, rows],
      () => ({
        arrays: ['x', 'starts', 'positions'],
        body: `let sum = 0; const count = starts[${Y} + 1] - starts[${Y}];
for (let k = 0; k < count; k++) { sum += x[(positions[(starts[${Y}] | 0) + k] | 0) * ${width} + ${X}]; } return sum;`,
      }),
      [x, starts, positions],
    )
  },
})
