/** Gradients of weights by tiles (forms.ts). */
import { block } from '../gemm'
import { bits } from '../simd'
import { PANEL, SPARE } from '../tile'
import {
  transformCotangent, transformHalvedCotangent, transformHalvedWeight, transformShortCotangent, transformWeight,
} from './cotangent'
import { APART, firstPhase, OUT, PHASES, PLAIN, phasesOf, pointsOf, tilesOf } from './forms'
import { transformHalved, transformInput, transformShortInput } from './input'
import { endColumn, firstColumn, FROM, orderTiles } from './layout'
import { copyRows } from './planes'
import { hasPoint, lastOf } from './shortTiles'
import { sideOf, TABLES, TEMPORARY, tileStep } from './winograd'

/** Tiles that are transformed at once. */
const TILES: i32 = 64
/** Channels whose phases are, at most. */
const CHANNELS: i32 = 32

/** Channels of x that are transformed at once, in whole panels: all that are asked for where each is but one column. */
@inline
function channelsOf(form: i32, inputs: i32): i32 {
  const whole = (inputs + PANEL - 1) / PANEL * PANEL
  return form == PLAIN ? whole : min(whole, CHANNELS)
}

@inline
function columnsOf(form: i32, inputs: i32): i32 {
  return channelsOf(form, inputs) * (form == PLAIN ? 1 : PHASES)
}

/** Bytes of scratch memory of `winogradWeightGradient`. */
export function winogradWeightGradientScratch(form: i32, inputs: i32, outputs: i32, outHeight: i32, outWidth: i32): f64 {
  const plane = sideOf(form, tilesOf(form, outHeight)) * sideOf(form, tilesOf(form, outWidth))
  const dyPlane = tilesOf(form, outHeight) * tilesOf(form, outWidth) * OUT * OUT
  const columns = columnsOf(form, inputs)
  const numbers = <f64>TILES * <f64>(columns + outputs + 4) + <f64>outputs * <f64>columns
  const slots = <f64>pointsOf(form) * (4.0 * numbers + 3.0 * <f64>APART)
  return <f64>(SPARE + TEMPORARY) + slots + 4.0 * (4.0 * <f64>(plane + dyPlane) + 64.0)
}

/**
 * dWeight (groups * outputs, inputs, 3, 3) = Gᵀ[Σ (A dy Aᵀ) ⊙ (Bᵀ x B)]G over the tiles of all images, the transpose of `winograd` in its
 * weight: a product of matrices (outputs, tiles) and (tiles, inputs) a point, one sum over tiles in ascending order. Panels `first` to `end`
 * of the inputs of all groups. `top` and `left`: the padding.
 */
export function winogradWeightGradient(
  form: i32, dWeight: usize, dy: usize, x: usize, batch: i32, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, top: i32, left: i32, first: i32, end: i32, scratch: usize,
): void {
  const across = tilesOf(form, outWidth)
  const down = tilesOf(form, outHeight)
  const perImage = down * across
  const lastRows = lastOf(form, outHeight)
  const lastColumns = lastOf(form, outWidth)
  const all = batch * perImage
  const step = tileStep(form)
  const row = <usize>sideOf(form, across) << 2
  const plane = row * <usize>sideOf(form, tilesOf(form, outHeight))
  const dyRow = <usize>(across * OUT) << 2
  const dyPlane = dyRow * <usize>(tilesOf(form, outHeight) * OUT)
  const elements = <usize>(height * width) << 2
  const positions = <usize>(outHeight * outWidth) << 2
  const temporary = scratch + SPARE
  const table = temporary + TABLES
  const panels = temporary + TEMPORARY
  const columns = columnsOf(form, inputs)
  const panelsStep = (<usize>(TILES * columns) << 2) + APART
  const rows = panels + <usize>pointsOf(form) * panelsStep
  // Sixteen bytes more, so that rows are no power of two apart.
  const tileBytes = <usize>(outputs + 4) << 2
  const rowsStep = <usize>TILES * tileBytes + APART
  const products = rows + <usize>pointsOf(form) * rowsStep
  const outStride = <usize>columns << 2
  const productsStep = <usize>outputs * outStride + APART
  const buffer = products + <usize>pointsOf(form) * productsStep
  const dyBuffer = buffer + 4 * plane
  memory.fill(buffer, 0, 4 * (plane + dyPlane))
  const perGroup = (inputs + PANEL - 1) / PANEL
  for (let g = first / perGroup; g * perGroup < end; g++) {
    const last = min((end - g * perGroup) * PANEL, inputs)
    for (let from = max(first - g * perGroup, 0) * PANEL; from < last; from += channelsOf(form, inputs)) {
      const to = min(from + channelsOf(form, inputs), last)
      const channels = to - from
      for (let start = 0; start < all; start += TILES) {
        const stop = min(start + TILES, all)
        orderTiles(table, start, stop, down, across, lastRows < OUT, lastColumns < OUT)
        for (let n = start / perImage; n * perImage < stop; n++) {
          const low = max(start - n * perImage, 0)
          const most = min(stop - n * perImage, perImage)
          const order = table + FROM + (<usize>(n * perImage - start) << 2)
          // Rows of tiles that these see.
          const above = low / across
          const below = (most - 1) / across + 1
          for (let i = from; i < to; i += 4) {
            const source = x + <usize>((n * groups + g) * inputs + i) * elements
            for (let lane: usize = 0; lane < 4; lane++) {
              copyRows(
                buffer + lane * plane, row, source + lane * elements, height, width, top, left, above * step,
                sideOf(form, below),
              )
            }
            const panel = panels + (<usize>((i - from) / PANEL * TILES * PANEL + (i - from) % PANEL) << 2)
            for (let t = low; t < most; t++) {
              const at = buffer + <usize>(t / across * step) * row + (<usize>(t % across * step) << 2)
              const out = panel + (<usize>load<i32>(order + (<usize>t << 2)) << 5)
              const shortRows = lastRows < OUT && t / across == down - 1
              const shortColumns = lastColumns < OUT && t % across == across - 1
              if (shortRows || shortColumns) {
                transformShortInput(
                  out, panelsStep, at, at + plane, at + 2 * plane, at + 3 * plane, row, temporary,
                  lastRows, bits(shortRows ? -1 : 0), lastColumns, bits(shortColumns ? -1 : 0),
                )
              } else if (form == PLAIN) {
                transformInput(out, panelsStep, at, at + plane, at + 2 * plane, at + 3 * plane, row, temporary)
              } else {
                transformHalved(
                  out, panelsStep, <usize>(channels * TILES) << 2, at, at + plane, at + 2 * plane, at + 3 * plane, row,
                  temporary,
                )
              }
            }
          }
          for (let o = 0; o < outputs; o += 4) {
            const source = dy + <usize>((n * groups + g) * outputs + o) * positions
            for (let lane: usize = 0; lane < 4; lane++) {
              copyRows(
                dyBuffer + lane * dyPlane, dyRow, source + lane * positions, outHeight, outWidth, 0, 0, above * OUT,
                below * OUT,
              )
            }
            for (let t = low; t < most; t++) {
              const at = dyBuffer + <usize>(t / across * OUT) * dyRow + (<usize>(t % across * OUT) << 2)
              const out = rows + <usize>load<i32>(order + (<usize>t << 2)) * tileBytes + (<usize>o << 2)
              const high = t / across == down - 1 ? lastRows : OUT
              const wide = t % across == across - 1 ? lastColumns : OUT
              if (high < OUT || wide < OUT) {
                transformShortCotangent(out, rowsStep, at, dyPlane, dyRow, temporary, high, wide)
              } else if (form == PLAIN) transformCotangent(out, rowsStep, at, dyPlane, dyRow, temporary)
              else transformHalvedCotangent(out, rowsStep, at, dyPlane, dyRow, temporary)
            }
          }
        }
        for (let point = 0; point < pointsOf(form); point++) {
          const before = form == PLAIN ? 0 : firstPhase(point) * channels
          const count = form == PLAIN ? channels : phasesOf(point) * channels
          const inRows = form != PLAIN || hasPoint(lastRows, point / 6)
          const inColumns = form != PLAIN || hasPoint(lastColumns, point % 6)
          const low = firstColumn(table, inColumns)
          block(
            products + <usize>point * productsStep + (<usize>before << 2), outStride,
            rows + <usize>point * rowsStep + <usize>low * tileBytes, 4, tileBytes,
            panels + <usize>point * panelsStep + (<usize>(before * TILES + low * PANEL) << 2), <usize>(TILES * PANEL) << 2,
            endColumn(table, inRows, inColumns) - low, outputs, count, start > 0, 0, scratch,
          )
        }
      }
      for (let o = 0; o < outputs; o++) {
        for (let i = from; i < to; i += 4) {
          const out = dWeight + (<usize>(((g * outputs + o) * inputs + i) * 9) << 2)
          const sums = products + <usize>o * outStride + (<usize>(i - from) << 2)
          if (form == PLAIN) transformWeight(out, sums, productsStep, temporary)
          else transformHalvedWeight(out, sums, productsStep, <usize>channels << 2, temporary)
        }
      }
    }
  }
}
