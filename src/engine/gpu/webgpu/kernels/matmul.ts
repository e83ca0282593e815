/** out[n, i, j] = sum over k of x[n, i, k] y[n, k, j], plus bias[j] for `linear`: few rows read the weights once, more go in tiles. */
import type { Storage } from '../../../../tensor/storage.ts'
import type { Fused } from '../../../fused.ts'
import type { MatmulSizes, Primitives } from '../../../primitives.ts'
import type { WgslLauncher } from '../launcher.ts'
import { columnsOfGroup, FEW_ROWS, inQuads, matvec } from './matvec.ts'
import { product } from './product.ts'

export const matmul = (launcher: WgslLauncher): Pick<Primitives, 'matmul'> & Required<Pick<Fused, 'linear'>> => {
  const linear = (out: Storage, x: Storage, y: Storage, bias: Storage | null, sizes: MatmulSizes): void => {
    const { batch, xBatched, yBatched, rows, inner, columns, transposeX, transposeY } = sizes
    const variant = `${xBatched ? 'b' : ''}${transposeX ? 't' : ''},${yBatched ? 'b' : ''}${transposeY ? 't' : ''}`
    const key = `${bias === null ? 'matmul' : 'linear'} ${variant}`
    const reads = bias === null ? [x, y] : [x, y, bias]
    if (rows <= FEW_ROWS) {
      const groups = batch * Math.ceil(columns / columnsOfGroup(sizes))
      launcher.dispatch(
        `${key} few ${rows} ${inQuads(sizes)}`,
        () => matvec(sizes, bias !== null),
        rows === 0 ? 0 : groups,
        { reads, writes: [out], scalars: [batch, columns, inner] },
      )
      return
    }
    product(launcher, out, reads, {
      key,
      batch,
      rows,
      columns,
      inner,
      x: {
        at: `${xBatched ? 'z * p.rows * p.inner + ' : ''}${transposeX ? 'k * p.rows + m' : 'm * p.inner + k'}`,
        alongRows: transposeX,
      },
      y: {
        at: `${yBatched ? 'z * p.inner * p.columns + ' : ''}${transposeY ? 'n * p.inner + k' : 'k * p.columns + n'}`,
        alongInner: transposeY,
      },
      out: '(z * p.rows + m) * p.columns + n',
      finish: bias === null ? 'sum' : 'sum + bias[n]',
      extra: bias === null ? [] : ['bias'],
    })
  }
  return { linear, matmul: (out, x, y, sizes) => linear(out, x, y, null, sizes) }
}
