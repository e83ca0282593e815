/** Copies an operand into the order in which `tile` reads it. Strides in bytes. */
import { transpose } from './move'
import { splat } from './simd'
import { PANEL } from './tile'

/** Bytes of the panels of a (inner, columns) block. */
@inline
export function panelBytes(inner: i32, columns: i32): usize {
  return (<usize>inner << 2) * <usize>((columns + PANEL - 1) & ~(PANEL - 1))
}

/** y (inner, columns), rows `stride` apart -> panels (columns / 8, inner, 8); lanes past the last column are zero. */
export function packRows(out: usize, y: usize, stride: usize, inner: i32, columns: i32): void {
  const bytes = <usize>inner << 5
  let j = 0
  // Two panels at once use a cache line whole.
  for (; j + 2 * PANEL <= columns; j += 2 * PANEL) {
    let from = y + (<usize>j << 2)
    for (let k = 0; k < inner; k++) {
      v128.store(out, v128.load(from))
      v128.store(out, v128.load(from, 16), 16)
      v128.store(out + bytes, v128.load(from, 32))
      v128.store(out + bytes, v128.load(from, 48), 16)
      out += 32
      from += stride
    }
    out += bytes
  }
  for (; j + PANEL <= columns; j += PANEL) {
    let from = y + (<usize>j << 2)
    for (let k = 0; k < inner; k++) {
      v128.store(out, v128.load(from))
      v128.store(out, v128.load(from, 16), 16)
      out += 32
      from += stride
    }
  }
  if (j < columns) packTail(out, y + (<usize>j << 2), stride, 4, inner, columns - j)
}

/** y stored (columns, inner), columns `stride` apart -> the same panels. */
export function packColumns(out: usize, y: usize, stride: usize, inner: i32, columns: i32): void {
  const bytes = <usize>inner << 5
  let j = 0
  for (; j + PANEL <= columns; j += PANEL) {
    transpose(out, PANEL, y, <i32>(stride >> 2), PANEL, inner)
    out += bytes
    y += stride * PANEL
  }
  if (j < columns) packTail(out, y, 4, stride, inner, columns - j)
}

function packTail(out: usize, y: usize, innerStride: usize, columnStride: usize, inner: i32, columns: i32): void {
  for (let k = 0; k < inner; k++) {
    v128.store(out, splat(0.0))
    v128.store(out, splat(0.0), 16)
    for (let j = 0; j < columns; j++) {
      f32.store(out + (<usize>j << 2), f32.load(y + <usize>j * columnStride))
    }
    out += 32
    y += innerStride
  }
}
