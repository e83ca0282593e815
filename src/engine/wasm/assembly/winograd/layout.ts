/**
 * The columns of a block: its tiles, in an order in which those that have a point follow each other. Short tiles (shortTiles.ts) lack some: first
 * come those short by columns, then whole ones, those short by rows, and those short by both.
 */
import { OUT } from './forms'

/** Quads of a block: panels of both in the second-level cache. */
export const QUADS: i32 = 16
export const COLUMNS: i32 = 4 * QUADS
/** Tables of a number a column. Byte offset of the tile's first input. */
export const FROM: usize = 0
/** Elements of y before its first output, and what y has below and to the right of that, 0 where a column repeats another. */
export const TO: usize = 256
export const HIGH: usize = 512
export const WIDE: usize = 768
/** All ones where the tile is short by rows, by columns. */
export const SHORT_ROWS: usize = 1024
export const SHORT_COLUMNS: usize = 1280
/** Where each of the four kinds begins, and the end. */
const KINDS: usize = 1536
export const LAYOUT: usize = 1600

/** In that order; `byRows`, `byColumns`: how a tile is short. */
@inline
function kindOf(byRows: bool, byColumns: bool): i32 {
  return (byRows ? 2 : 1) + (byColumns ? (byRows ? 1 : -1) : 0)
}

/** First column with a point, and the one behind the last; whether tiles short by rows, and those short by columns, have it. */
@inline
export function firstColumn(table: usize, inColumns: bool): i32 {
  return inColumns ? 0 : load<i32>(table + KINDS, 4)
}

@inline
export function endColumn(table: usize, inRows: bool, inColumns: bool): i32 {
  return load<i32>(table + KINDS + (inRows ? (inColumns ? 16 : 12) : 8))
}

/**
 * Tables of quads `start` to `stop`, whole ones but for the last, of images in planes of `plane` bytes with rows of `row`, tiles `step` elements
 * apart, and of y, `image` elements an image, tiles `out` elements apart. `shortRows`: whether an image's last row of tiles is short. How many
 * quads it takes.
 */
export function layTiles(
  table: usize, start: i32, stop: i32, perImage: i32, down: i32, across: i32, shortRows: bool, shortColumns: bool,
  step: i32, row: usize, plane: usize, out: i32, outHeight: i32, outWidth: i32, image: i32,
): i32 {
  let at = table
  for (let kind = 0; kind < 4; kind++) {
    store<i32>(table + KINDS + (<usize>kind << 2), <i32>(at - table) >> 2)
    for (let q = start; q < stop; q++) {
      const n = q / perImage
      let t = (q - n * perImage) * 4
      let y = t / across
      let x = t - y * across
      for (const end = min(t + 4, down * across); t < end; t++) {
        const byRows = shortRows && y == down - 1
        const byColumns = shortColumns && x == across - 1
        if (kindOf(byRows, byColumns) == kind) {
          store<i32>(at + FROM, <i32>(<usize>(n - start / perImage) * plane + <usize>(y * step) * row) + ((x * step) << 2))
          store<i32>(at + TO, n * image + y * out * outWidth + x * out)
          store<i32>(at + HIGH, outHeight - y * out)
          store<i32>(at + WIDE, outWidth - x * out)
          store<i32>(at + SHORT_ROWS, byRows ? -1 : 0)
          store<i32>(at + SHORT_COLUMNS, byColumns ? -1 : 0)
          at += 4
        }
        if (++x == across) {
          x = 0
          y++
        }
      }
    }
  }
  store<i32>(table + KINDS, <i32>(at - table) >> 2, 16)
  for (; ((at - table) & 15) != 0; at += 4) {
    for (let each = FROM; each < KINDS; each += 256) store<i32>(at + each, load<i32>(at + each - 4))
    store<i32>(at + HIGH, 0)
  }
  return <i32>(at - table) >> 4
}

/** The columns of tiles `start` to `stop` of all images, one a tile in the table FROM. */
export function orderTiles(
  table: usize, start: i32, stop: i32, down: i32, across: i32, shortRows: bool, shortColumns: bool,
): void {
  let column = 0
  for (let kind = 0; kind < 4; kind++) {
    store<i32>(table + KINDS + (<usize>kind << 2), column)
    let y = start / across % down
    let x = start % across
    for (let tile = start; tile < stop; tile++) {
      const byRows = shortRows && y == down - 1
      const byColumns = shortColumns && x == across - 1
      if (kindOf(byRows, byColumns) == kind) store<i32>(table + FROM + (<usize>(tile - start) << 2), column++)
      if (++x == across) {
        x = 0
        if (++y == down) y = 0
      }
    }
  }
  store<i32>(table + KINDS, column, 16)
}
