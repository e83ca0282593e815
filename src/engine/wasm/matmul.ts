import type { MatmulSizes } from '../engine.ts'
import type { Kernels } from './binary.generated.ts'
import type { Memory } from './memory.ts'

/** out = x y + bias (0: none), addresses in bytes. A batch over one matrix y is one product of more rows. */
export const matmul = (
  memory: Memory,
  kernels: Kernels,
  out: number,
  x: number,
  y: number,
  bias: number,
  { batch, xBatched, yBatched, rows, inner, columns, transposeX, transposeY }: MatmulSizes,
): void => {
  const folds = xBatched && !yBatched && !transposeX
  const height = folds ? batch * rows : rows
  const scratch = memory.scratch(kernels.gemmScratch(height, inner))
  const xRow = transposeX ? 1 : inner
  const xInner = transposeX ? rows : 1
  const yInner = transposeY ? 1 : columns
  const yColumn = transposeY ? inner : 1
  kernels.gemmBatch(
    out,
    rows * columns,
    columns,
    x,
    xBatched ? rows * inner : 0,
    xRow,
    xInner,
    y,
    yBatched ? inner * columns : 0,
    yInner,
    yColumn,
    bias,
    height,
    inner,
    columns,
    folds ? 1 : batch,
    scratch,
  )
}
