/**
 * (outer, length, inner) -> (outer, inner), one thread a result in ascending order. Lengths from 4,096 go in two stages, chunks
 * first: one thread would be slow on a GPU and one f32 sum inexact. Which way is a function of the length alone, so that a
 * row's value never depends on its neighbours.
 */

import type { Storage } from '../../../tensor/storage.ts'
import type { Fused } from '../../fused.ts'
import type { AxisView, Primitives, ReduceOp } from '../../primitives.ts'
import type { Grid, KernelSource } from '../device.ts'
import type { Launcher } from '../launcher.ts'
import { plus, times, X, Y, Z } from '../text.ts'

const ONE_STAGE = 4096

const FOLD: Readonly<Record<ReduceOp, string>> = { sum: 'result += v;', max: 'result = Math.max(result, v);' }

/** The maximum of nothing is -infinity, the sum 0. */
const EMPTY: Readonly<Record<ReduceOp, number>> = { sum: 0, max: Number.NEGATIVE_INFINITY }

/** Folds the elements at(0) .. at(length - 1), those past `guard` left out. Elements are x[i], or x[i] * y[i] of two operands. */
const fold = (
  op: ReduceOp,
  operands: number,
  at: (k: string) => string,
  length: number,
  guard: string,
): KernelSource => {
  const arrays = operands === 1 ? ['x'] : ['x', 'y']
  const element = (k: string): string => arrays.map(name => `${name}[${at(k)}]`).join(' * ')
  const step = `const v = ${element('k')}; ${FOLD[op]}`
  return {
    arrays,
    body: `let result = ${op === 'sum' ? '0' : element('0')};
for (let k = 0; k < ${length}; k++) { ${guard === '' ? step : `if (${guard}) { ${step} }`} } return result;`,
  }
}

export const reduce = ({ launch, temporary }: Launcher): Pick<Primitives, 'reduce'> & Required<Pick<Fused, 'dot'>> => {
  const stage = (op: ReduceOp, out: Storage, inputs: readonly Storage[], { outer, length, inner }: AxisView): void => {
    const grid: Grid = inner === 1 ? [outer] : [inner, outer]
    const at = (k: string): string =>
      plus(times(inner === 1 ? X : Y, length * inner), times(k, inner), inner === 1 ? '' : X)
    launch(out, `reduce ${op} ${length} ${inner}`, grid, () => fold(op, inputs.length, at, length, ''), inputs)
  }

  const chunked = (op: ReduceOp, out: Storage, inputs: readonly Storage[], view: AxisView): void => {
    const { outer, length, inner } = view
    if (length < ONE_STAGE || outer * inner === 0) {
      stage(op, out, inputs, view)
      return
    }
    const chunk = Math.ceil(Math.sqrt(length))
    const chunks = Math.ceil(length / chunk)
    temporary([outer * chunks * inner], partial => {
      const [column, part, row] = inner === 1 ? ['0', X, Y] : [X, Y, Z]
      const position = (k: string): string => plus(times(part, chunk), times(k, 1))
      const at = (k: string): string =>
        plus(times(row, length * inner), times(`(${position(k)})`, inner), times(column, 1))
      launch(
        partial,
        `chunks ${op} ${length} ${inner}`,
        inner === 1 ? [chunks, outer] : [inner, chunks, outer],
        () => fold(op, inputs.length, at, chunk, `${position('k')} < ${length}`),
        inputs,
      )
      stage(op, out, [partial], { outer, length: chunks, inner })
    })
  }

  return {
    reduce: (op, out, x, view) => {
      if (view.length > 0) chunked(op, out, [x], view)
      else
        launch(
          out,
          'fill',
          [view.outer * view.inner],
          () => ({ reals: ['value'], body: 'return value;' }),
          [],
          [EMPTY[op]],
        )
    },
    dot: (out, x, y, size) => chunked('sum', out, [x, y], { outer: 1, length: size, inner: 1 }),
  }
}
