/**
 * out = x y + bias, f32, cache-blocked after Goto & van de Geijn, "Anatomy of high-performance matrix multiplication"
 * (2008): panels of y packed once a block, a tile in registers. Transposes are strides. Any range of rows or
 * columns is a call of its own (by pointers), with the same bits, so that threads can split it.
 */
import { gemvColumns, gemvPanels, gemvRows } from './gemv'
import { transpose } from './move'
import { packColumns, packRows, panelBytes } from './pack'
import { PANEL, ROWS, SPARE, tile, tileRows, whole } from './tile'

/** Inner block: a packed panel of 8 columns stays in the first-level cache. */
export const INNER: i32 = 256
/** Rows of x, and columns of y, in the second-level cache. */
export const X_ROWS: i32 = 96 / ROWS * ROWS
export const Y_COLUMNS: i32 = 512
/** Numbers of a page: columns of x a multiple of them apart push each other out of the caches. */
const PAGE: i32 = 1024
/** Up to here each row is a product of its own with y unpacked. */
const FEW_ROWS: i32 = 3
/** Up to here a product with panels is bound by reading them; steps of a piece of a panel that several tiles use. */
const ONE_PASS: i32 = 16
const PIECE: i32 = 32

/** Bytes of scratch memory `gemm` needs. */
export function gemmScratch(rows: i32, inner: i32): f64 {
  const packed = <f64>(INNER * (Y_COLUMNS + X_ROWS))
  return 4.0 * (max(packed, rows <= FEW_ROWS ? <f64>rows * <f64>inner : 0.0) + 64.0)
}

/** Whether all of y (inner, columns) fits into the scratch memory once packed. */
@inline
function fits(inner: i32, columns: i32): bool {
  return panelBytes(inner, columns) <= <usize>(INNER * Y_COLUMNS) << 2
}

/**
 * x (rows, inner) with element strides xRow, xInner, one of them 1; y (inner, columns) with yInner, yColumn, likewise, or in panels
 * (columns / 8, inner, 8): yColumn 0. `bias` is 0 or the address of `columns` numbers.
 */
export function gemm(
  out: usize, outRow: i32, x: usize, xRow: i32, xInner: i32, y: usize, yInner: i32, yColumn: i32, bias: usize,
  rows: i32, inner: i32, columns: i32, scratch: usize,
): void {
  const outStride = <usize>outRow << 2
  const xStride = <usize>xRow << 2
  // Columns that are `inner` apart are 0 apart where `inner` is.
  const packed = yColumn == 0 && inner > 0
  if (rows <= FEW_ROWS && !packed) {
    if (xInner != 1) {
      transpose(scratch, inner, x, xInner, inner, rows)
      x = scratch
      xRow = inner
    }
    for (let i = 0; i < rows; i++) {
      if (yColumn == 1) gemvRows(out, x, y, <usize>yInner << 2, bias, inner, columns)
      else gemvColumns(out, x, y, <usize>yColumn << 2, bias, inner, columns)
      out += outStride
      x += <usize>xRow << 2
    }
    return
  }
  if (packed && rows <= ONE_PASS && xInner == 1) {
    if (rows == 1 && (columns & 7) == 0) gemvPanels(out, x, y, bias, inner, columns)
    else stream(out, outStride, x, xStride, y, bias, rows, inner, columns, scratch)
    return
  }
  gemmBlocks(out, outRow, x, xRow, xInner, y, yInner, yColumn, bias, rows, inner, columns, scratch, false)
}

/**
 * The same for any number of rows by blocks of packed panels. `again`: the last call with this scratch memory was this one for other rows of the
 * same product, so that a y that fits there is packed already.
 */
export function gemmBlocks(
  out: usize, outRow: i32, x: usize, xRow: i32, xInner: i32, y: usize, yInner: i32, yColumn: i32, bias: usize,
  rows: i32, inner: i32, columns: i32, scratch: usize, again: bool,
): void {
  const outStride = <usize>outRow << 2
  const xStride = <usize>xRow << 2
  const packed = yColumn == 0 && inner > 0
  const spare = scratch
  const panels = scratch + SPARE
  const xs = panels + (<usize>(INNER * Y_COLUMNS) << 2)
  const clashes = (xInner & (PAGE - 1)) == 0
  const kept = fits(inner, columns)
  for (let column = 0; column < columns; column += Y_COLUMNS) {
    const width = min(Y_COLUMNS, columns - column)
    const outColumn = out + (<usize>column << 2)
    let k = 0
    do {
      const depth = min(INNER, inner - k)
      let from = kept ? panels + panelBytes(inner, column) + panelBytes(k, width) : panels
      let step = <usize>depth << 5
      if (packed) {
        from = y + ((<usize>column * <usize>inner + (<usize>k << 3)) << 2)
        step = <usize>inner << 5
      } else if (!again || !kept) {
        const yBlock = y + ((<usize>k * <usize>yInner + <usize>column * <usize>yColumn) << 2)
        if (yColumn == 1) packRows(from, yBlock, <usize>yInner << 2, depth, width)
        else packColumns(from, yBlock, <usize>yColumn << 2, depth, width)
      }
      const biasNow = bias != 0 && k + depth == inner ? bias + (<usize>column << 2) : 0
      for (let row = 0; row < rows; row += X_ROWS) {
        const height = min(X_ROWS, rows - row)
        let xBlock = x + ((<usize>row * <usize>xRow + <usize>k * <usize>xInner) << 2)
        let rowStep = xStride
        let innerStep = <usize>xInner << 2
        if (clashes) {
          transpose(xs, depth, xBlock, xInner, depth, height)
          xBlock = xs
          rowStep = <usize>depth << 2
          innerStep = 4
        }
        block(
          outColumn + <usize>row * outStride, outStride, xBlock, rowStep, innerStep, from, step,
          depth, height, width, k > 0, biasNow, spare,
        )
      }
      k += depth
    } while (k < inner)
  }
}

/** Few rows times panels, read once and in order: in pieces so short that the next one comes near while several tiles use this one. */
function stream(
  out: usize, outStride: usize, x: usize, xStride: usize, panels: usize, bias: usize,
  rows: i32, inner: i32, columns: i32, spare: usize,
): void {
  const piece = rows <= ROWS ? inner : PIECE
  for (; columns > 0; columns -= PANEL) {
    const width = min(PANEL, columns)
    for (let k = 0; k < inner; k += piece) {
      const depth = min(piece, inner - k)
      const biasNow = k + depth == inner ? bias : 0
      let to = out
      let from = x + (<usize>k << 2)
      for (let left = rows; left > 0; ) {
        const height = tileRows(left)
        tile(to, outStride, from, xStride, 4, panels, depth, height, width, k > 0, biasNow, spare)
        to += outStride * <usize>height
        from += xStride * <usize>height
        left -= height
      }
      panels += <usize>depth << 5
    }
    out += PANEL << 2
    if (bias != 0) bias += PANEL << 2
  }
}

/** `products` of them, each `step` elements behind the last one (0: the same). */
export function gemmBatch(
  out: usize, outStep: i32, outRow: i32, x: usize, xStep: i32, xRow: i32, xInner: i32,
  y: usize, yStep: i32, yInner: i32, yColumn: i32, bias: usize,
  rows: i32, inner: i32, columns: i32, products: i32, scratch: usize,
): void {
  for (; products > 0; products--) {
    gemm(out, outRow, x, xRow, xInner, y, yInner, yColumn, bias, rows, inner, columns, scratch)
    out += <usize>outStep << 2
    x += <usize>xStep << 2
    y += <usize>yStep << 2
  }
}

/** out (rows, columns) from x, its rows xStride and inner elements xStep apart, and packed panels. Strides in bytes. */
export function block(
  out: usize, outStride: usize, x: usize, xStride: usize, xStep: usize, panels: usize, panelStride: usize,
  inner: i32, rows: i32, columns: i32, resume: bool, bias: usize, spare: usize,
): void {
  for (let j = 0; j < columns; j += PANEL) {
    const width = min(PANEL, columns - j)
    const biasNow = bias != 0 ? bias + (<usize>j << 2) : 0
    let to = out + (<usize>j << 2)
    let from = x
    for (let left = rows; left > 0; ) {
      const height = tileRows(left)
      if (width == PANEL && bias == 0) whole(to, outStride, from, xStride, xStep, panels, inner, height, resume)
      else tile(to, outStride, from, xStride, xStep, panels, inner, height, width, resume, biasNow, spare)
      to += outStride * <usize>height
      from += xStride * <usize>height
      left -= height
    }
    panels += panelStride
  }
}
