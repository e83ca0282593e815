/** Convolutions by tiles, and gradients of their inputs (forms.ts): a block of quads at a time, transformed, multiplied and transformed back. */
import { rowBlocks } from '../rowBlocks'
import { PANEL, SPARE } from '../tile'
import { APART, DOUBLED, firstPhase, HALVED, OUT, PHASES, PLAIN, phasesOf, pointsOf, tilesOf } from './forms'
import { transformDoubled, transformHalved, transformInput, transformShortInput } from './input'
import { COLUMNS, endColumn, firstColumn, FROM, LAYOUT, layTiles, QUADS, SHORT_COLUMNS, SHORT_ROWS } from './layout'
import { storeDoubled, transformHalvedOutput, transformOutput, transformShortOutput } from './output'
import { copyRows, storeQuad } from './planes'
import { hasPoint, lastOf } from './shortTiles'
import { matrixOf } from './weights'

/** Bytes of what is between the two halves of a transform, 81 vectors and some in whole lines; and with it those of a block's layout. */
export const TABLES: usize = 1408
export const TEMPORARY: usize = TABLES + LAYOUT

/** Quads of an image of (outHeight, outWidth). */
export function winogradQuads(form: i32, outHeight: i32, outWidth: i32): i32 {
  return (tilesOf(form, outHeight) * tilesOf(form, outWidth) + 3) / 4
}

/** Elements between two tiles of the input. */
@inline
export function tileStep(form: i32): i32 {
  return form == HALVED ? 2 * OUT : OUT
}

/** Side of the plane that `count` tiles see. */
@inline
export function sideOf(form: i32, count: i32): i32 {
  return count * tileStep(form) + (form == PLAIN ? 2 : 1)
}

/** Bytes of a point's slot: its columns, then the products of the point behind it, which is done when they come. */
@inline
function slotBytes(form: i32, inputs: i32, outputs: i32): usize {
  const columns = max((form == HALVED ? PHASES : 1) * inputs, (form == DOUBLED ? PHASES : 1) * outputs)
  return (<usize>(columns * COLUMNS) << 2) + APART
}

/** Images that a block of quads may touch. */
@inline
function imagesOf(perImage: i32): i32 {
  return (QUADS + perImage - 2) / perImage + 1
}

/** Bytes of scratch memory of `winograd`. */
export function winogradScratch(form: i32, inputs: i32, outputs: i32, outHeight: i32, outWidth: i32): f64 {
  const plane = sideOf(form, tilesOf(form, outHeight)) * sideOf(form, tilesOf(form, outWidth))
  const slots = <f64>(pointsOf(form) + 1) * <f64>slotBytes(form, inputs, outputs)
  const planes = <f64>plane * <f64>imagesOf(winogradQuads(form, outHeight, outWidth))
  return <f64>(SPARE + TEMPORARY) + slots + 4.0 * (planes + 64.0)
}

/**
 * Quads `first` to `end` of all images of y (batch, groups * outputs, outHeight, outWidth) from x (batch, groups * inputs, height, width),
 * with its first element at (top, left) of a border of zeros, and the points of the weight. bias 0: none, as for DOUBLED.
 */
export function winograd(
  form: i32, y: usize, x: usize, points: usize, bias: usize, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, top: i32, left: i32, first: i32, end: i32, scratch: usize,
): void {
  const down = tilesOf(form, outHeight)
  const across = tilesOf(form, outWidth)
  const rows = lastOf(form, outHeight)
  const columns = lastOf(form, outWidth)
  const perImage = winogradQuads(form, outHeight, outWidth)
  const step = tileStep(form)
  const out = form == DOUBLED ? 2 * OUT : OUT
  const high = sideOf(form, down)
  const row = <usize>sideOf(form, across) << 2
  const plane = <usize>(height * width) << 2
  const outPlane = <usize>(outHeight * outWidth) << 2
  const image = groups * outputs * outHeight * outWidth
  const temporary = scratch + SPARE
  const table = temporary + TABLES
  const slot = slotBytes(form, inputs, outputs)
  const products = temporary + TEMPORARY
  const transformed = products + slot
  const phases = form == HALVED ? PHASES : 1
  const buffer = transformed + <usize>pointsOf(form) * slot
  const bordered = <usize>high * row
  const matrices = <usize>pointsOf(form) * matrixOf(form, outputs, inputs)
  memory.fill(buffer, 0, <usize>imagesOf(perImage) * bordered)
  for (let start = first; start < end; start += QUADS) {
    const stop = min(start + QUADS, end)
    const quads = layTiles(
      table, start, stop, perImage, down, across, rows < OUT, columns < OUT, step, row, bordered, out, outHeight, outWidth, image,
    )
    for (let g = 0; g < groups; g++) {
      for (let i = 0; i < inputs; i++) {
        for (let n = start / perImage; n * perImage < stop; n++) {
          // The rows that these quads see.
          const from = max(start - n * perImage, 0)
          const to = min(stop - n * perImage, perImage)
          copyRows(
            buffer + <usize>(n - start / perImage) * bordered, row, x + <usize>((n * groups + g) * inputs + i) * plane,
            height, width, top, left, from * 4 / across * step, min(high, (to * 4 - 1) / across * step + sideOf(form, 1)),
          )
        }
        for (let q = 0; q < quads; q++) {
          const at = table + (<usize>q << 4)
          const x0 = buffer + <usize>load<i32>(at + FROM)
          const x1 = buffer + <usize>load<i32>(at + FROM, 4)
          const x2 = buffer + <usize>load<i32>(at + FROM, 8)
          const x3 = buffer + <usize>load<i32>(at + FROM, 12)
          const to = transformed + (<usize>(((q >> 1) * phases * inputs + i) * 8 + (q & 1) * 4) << 2)
          if (form == HALVED) transformHalved(to, slot, <usize>inputs << 5, x0, x1, x2, x3, row, temporary)
          else if (form == DOUBLED) transformDoubled(to, slot, x0, x1, x2, x3, row, temporary)
          else {
            const shortRows = v128.load(at + SHORT_ROWS)
            const shortColumns = v128.load(at + SHORT_COLUMNS)
            if (v128.any_true(v128.or(shortRows, shortColumns))) {
              transformShortInput(to, slot, x0, x1, x2, x3, row, temporary, rows, shortRows, columns, shortColumns)
            } else transformInput(to, slot, x0, x1, x2, x3, row, temporary)
          }
        }
      }
      multiply(
        form, products, transformed, slot, points + <usize>g * matrices, inputs, outputs, table, rows, columns, scratch,
      )
      for (let o = 0; o < outputs; o++) {
        const b = bias != 0 ? f32.load(bias + (<usize>(g * outputs + o) << 2)) : 0.0
        const to = y + <usize>(g * outputs + o) * outPlane
        for (let q = 0; q < quads; q++) {
          const at = table + (<usize>q << 4)
          const from = products + (<usize>(o * COLUMNS + q * 4) << 2)
          if (form == DOUBLED) {
            storeDoubled(to, from, slot, <usize>(outputs * COLUMNS) << 2, at, outWidth, temporary)
            continue
          }
          if (form == HALVED) transformHalvedOutput(from, slot, b, temporary)
          else {
            const shortRows = v128.load(at + SHORT_ROWS)
            const shortColumns = v128.load(at + SHORT_COLUMNS)
            if (v128.any_true(v128.or(shortRows, shortColumns))) {
              transformShortOutput(from, slot, b, temporary, rows, shortRows, columns, shortColumns)
            } else transformOutput(from, slot, b, temporary)
          }
          storeQuad(to, temporary, at, outWidth)
        }
      }
    }
  }
}

/** A product a point, over the columns and phases that have it. */
function multiply(
  form: i32, products: usize, transformed: usize, slot: usize, points: usize, inputs: i32, outputs: i32, table: usize,
  lastRows: i32, lastColumns: i32, spare: usize,
): void {
  const matrix = matrixOf(form, outputs, inputs)
  for (let point = 0; point < pointsOf(form); point++) {
    let x = points + <usize>point * matrix
    let panels = transformed + <usize>point * slot
    let out = products + <usize>point * slot
    let all = inputs
    let inner = inputs
    let rows = outputs
    if (form == HALVED) {
      const before = firstPhase(point) * inputs
      x += <usize>before << 2
      panels += <usize>before << 5
      all *= PHASES
      inner *= phasesOf(point)
    } else if (form == DOUBLED) {
      const before = firstPhase(point) * outputs
      x += <usize>(before * inputs) << 2
      out += <usize>(before * COLUMNS) << 2
      rows *= phasesOf(point)
    }
    const inRows = form != PLAIN || hasPoint(lastRows, point / 6)
    const inColumns = form != PLAIN || hasPoint(lastColumns, point % 6)
    const from = firstColumn(table, inColumns) / PANEL
    const to = (endColumn(table, inRows, inColumns) + PANEL - 1) / PANEL
    rowBlocks(
      out + (<usize>(from * PANEL) << 2), <usize>COLUMNS << 2, x, <usize>all << 2,
      panels + (<usize>(from * all) << 5), <usize>all << 5, inner, rows, (to - from) * PANEL, false, spare,
    )
  }
}
