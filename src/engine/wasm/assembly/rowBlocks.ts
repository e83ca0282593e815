/** Products with panels that are already packed. */
import { block, X_ROWS } from './gemm'

/** out (rows, columns) = x (rows, inner) times panels, `panelStride` apart. Strides in bytes; `resume` continues the sums in `out`. */
export function rowBlocks(
  out: usize, outStride: usize, x: usize, xStride: usize, panels: usize, panelStride: usize,
  inner: i32, rows: i32, columns: i32, resume: bool, spare: usize,
): void {
  for (let row = 0; row < rows; row += X_ROWS) {
    const height = min(X_ROWS, rows - row)
    block(
      out + <usize>row * outStride, outStride, x + <usize>row * xStride, xStride, 4, panels, panelStride,
      inner, height, columns, resume, 0, spare,
    )
  }
}
