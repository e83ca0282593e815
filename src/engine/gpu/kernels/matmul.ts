/**
 * out[n, i, j] = sum over k of x[n, i, k] y[n, k, j], plus bias[j] for `linear`: a thread a result, k ascending, whatever the
 * other sizes are (laws L1, L4). Columns run along x, so that neighbouring threads read neighbouring weights.
 */
import type { Storage } from '../../../tensor/storage.ts'
import type { Fused } from '../../fused.ts'
import type { MatmulSizes, Primitives } from '../../primitives.ts'
import type { Launcher } from '../launcher.ts'
import { plus, times, X, Y, Z } from '../text.ts'

export const matmul = ({ launch }: Launcher): Pick<Primitives, 'matmul'> & Required<Pick<Fused, 'linear'>> => {
  const product = (out: Storage, x: Storage, y: Storage, bias: Storage | null, sizes: MatmulSizes): void => {
    const { batch, xBatched, yBatched, rows, inner, columns, transposeX, transposeY } = sizes
    const variant = `${xBatched ? 'b' : ''}${transposeX ? 't' : ''},${yBatched ? 'b' : ''}${transposeY ? 't' : ''}`
    launch(
      out,
      `${bias === null ? 'matmul' : 'linear'} ${variant} ${inner}`,
      [columns, rows, batch],
      () => {
        const atX = plus(
          xBatched && batch > 1 ? times(Z, rows * inner) : '',
          rows > 1 ? times(Y, transposeX ? 1 : inner) : '',
          times('k', transposeX ? rows : 1),
        )
        const atY = plus(
          yBatched && batch > 1 ? times(Z, inner * columns) : '',
          times(X, transposeY ? inner : 1),
          times('k', transposeY ? 1 : columns),
        )
        return {
          arrays: bias === null ? ['x', 'y'] : ['x', 'y', 'bias'],
          body: `let sum = 0; for (let k = 0; k < ${inner}; k++) { sum += x[${atX}] * y[${atY}]; } return sum${bias === null ? '' : ` + bias[${X}]`};`,
        }
      },
      bias === null ? [x, y] : [x, y, bias],
    )
  }
  return {
    matmul: (out, x, y, sizes) => product(out, x, y, null, sizes),
    linear: product,
  }
}
