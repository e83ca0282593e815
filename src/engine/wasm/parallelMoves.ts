/** Kernels that only move numbers, split by rows, columns or places. */
import type { Kernels } from './binary.generated.ts'
import { COST, FLOAT } from './costs.ts'
import { VECTOR } from './roles.ts'
import type { Threads } from './threads.ts'

export const parallelMoves = (
  threads: Threads,
  kernels: Kernels,
): Pick<Kernels, 'copyRows' | 'transpose' | 'permute'> => ({
  copyRows: (out, outStride, x, xStride, rows, columns) => {
    if (!threads.splits(rows * columns * COST.rows, rows, 1))
      return kernels.copyRows(out, outStride, x, xStride, rows, columns)
    threads
      .begin('copyRows')
      .moving(out, FLOAT * outStride)
      .same(outStride)
      .moving(x, FLOAT * xStride)
      .same(xStride)
    threads.size().same(columns).run()
  },
  transpose: (out, outStride, x, xStride, rows, columns) => {
    if (!threads.splits(rows * columns * COST.arithmetic, columns, VECTOR))
      return kernels.transpose(out, outStride, x, xStride, rows, columns)
    threads
      .begin('transpose')
      .moving(out, FLOAT * outStride)
      .same(outStride)
      .moving(x, FLOAT)
      .same(xStride)
    threads.same(rows).size().run()
  },
  permute: (out, x, places, outStep, xStep, ...rest) => {
    const [b, , , c, , , , , rows, columns] = rest
    if (!threads.splits(places * b * c * rows * columns * COST.turned, places, 1))
      return kernels.permute(out, x, places, outStep, xStep, ...rest)
    threads
      .begin('permute')
      .moving(out, FLOAT * outStep)
      .moving(x, FLOAT * xStep)
      .size()
      .same(outStep)
      .same(xStep)
    for (const value of rest) threads.same(value)
    threads.run()
  },
})
