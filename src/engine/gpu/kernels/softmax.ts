/**
 * Rows of exp(x - max) / sum, and dx = y (dy - sum(dy y)): a kernel for each number a row shares, then one for the cells.
 * Maximum and sum are bounded below, so that a row of -infinity gives zeros (law A4).
 */
import type { Fused } from '../../fused.ts'
import type { Launcher } from '../launcher.ts'
import { X, Y } from '../text.ts'

const LOWEST = -3e38

export const softmax = ({ launch, temporary }: Launcher): Required<Pick<Fused, 'softmax' | 'softmaxPullback'>> => ({
  softmax: (out, x, { rows, columns }) =>
    temporary([rows, rows], (max, sum) => {
      const row = `${X} * ${columns}`
      launch(
        max,
        `softmax max ${columns}`,
        [rows],
        () => ({
          arrays: ['x'],
          reals: ['lowest'],
          body: `let m = lowest; for (let k = 0; k < ${columns}; k++) { m = Math.max(m, x[${row} + k]); } return m;`,
        }),
        [x],
        [LOWEST],
      )
      launch(
        sum,
        `softmax sum ${columns}`,
        [rows],
        () => ({
          arrays: ['x', 'max'],
          body: `let s = 0; for (let k = 0; k < ${columns}; k++) { s += Math.exp(x[${row} + k] - max[${X}]); } return Math.max(s, 1);`,
        }),
        [x, max],
      )
      launch(
        out,
        `softmax ${columns}`,
        [columns, rows],
        () => ({
          arrays: ['x', 'max', 'sum'],
          body: `return Math.exp(x[${Y} * ${columns} + ${X}] - max[${Y}]) / sum[${Y}];`,
        }),
        [x, max, sum],
      )
    }),
  softmaxPullback: (dx, dy, y, { rows, columns }) =>
    temporary([rows], inner => {
      launch(
        inner,
        `softmaxPullback row ${columns}`,
        [rows],
        () => ({
          arrays: ['dy', 'y'],
          body: `let s = 0; for (let k = 0; k < ${columns}; k++) { s += dy[${X} * ${columns} + k] * y[${X} * ${columns} + k]; } return s;`,
        }),
        [dy, y],
      )
      const at = `${Y} * ${columns} + ${X}`
      launch(
        dx,
        `softmaxPullback ${columns}`,
        [columns, rows],
        () => ({ arrays: ['dy', 'y', 'inner'], body: `return y[${at}] * (dy[${at}] - inner[${Y}]);` }),
        [dy, y, inner],
      )
    }),
})
