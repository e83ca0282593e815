/**
 * A matrix y (inner, columns) in panels (columns / 8, inner, 8), the order in which `tile` reads it: a thread that multiplies a range of
 * columns reads one stream of memory. To panels and back, beside `packRows`.
 */
import { transpose } from './move'
import { packColumns } from './pack'
import { PANEL } from './tile'

/** The inverse of `packRows` for whole panels. */
export function unpackRows(out: usize, panels: usize, stride: usize, inner: i32, columns: i32): void {
  for (let j = 0; j < columns; j += PANEL) {
    let to = out + (<usize>j << 2)
    for (let k = 0; k < inner; k++) {
      v128.store(to, v128.load(panels))
      v128.store(to, v128.load(panels, 16), 16)
      panels += 32
      to += stride
    }
  }
}

/** Bytes of scratch memory of the two below. */
export function panelScratch(inner: i32): f64 {
  return 32.0 * <f64>inner
}

/** y stored (columns, inner) to panels in its own place; what 8 columns do not divide stays. */
export function panelsFromColumns(y: usize, inner: i32, columns: i32, scratch: usize): void {
  const bytes = <usize>inner << 5
  for (; columns >= PANEL; columns -= PANEL, y += bytes) {
    packColumns(scratch, y, <usize>inner << 2, inner, PANEL)
    memory.copy(y, scratch, bytes)
  }
}

export function columnsFromPanels(y: usize, inner: i32, columns: i32, scratch: usize): void {
  const bytes = <usize>inner << 5
  for (; columns >= PANEL; columns -= PANEL, y += bytes) {
    memory.copy(scratch, y, bytes)
    transpose(y, inner, scratch, PANEL, inner, PANEL)
  }
}

/** out[i, :] = column ids[i] of y, which `panelsFromColumns` has changed. */
export function gatherPanels(out: usize, y: usize, ids: usize, count: i32, inner: i32, columns: i32): void {
  const bytes = <usize>inner << 2
  for (let i = 0; i < count; i++, out += bytes) {
    const id = load<i32>(ids + (<usize>i << 2))
    if (id >= (columns & ~(PANEL - 1))) {
      memory.copy(out, y + <usize>id * bytes, bytes)
      continue
    }
    let from = y + <usize>(id & ~(PANEL - 1)) * bytes + (<usize>(id & (PANEL - 1)) << 2)
    for (let k: usize = 0; k < bytes; k += 4, from += 32) f32.store(out + k, f32.load(from))
  }
}
