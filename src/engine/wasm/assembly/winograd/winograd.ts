/** Convolutions by tiles, and gradients of their inputs (forms.ts): a block of quads at a time, transformed, multiplied and transformed back. */
import { rowBlocks } from '../rowBlocks'
import { SPARE } from '../tile'
import { APART, DOUBLED, firstPhase, HALVED, OUT, PHASES, PLAIN, phasesOf, pointsOf, tilesOf } from './forms'
import { transformDoubled, transformHalved, transformInput } from './input'
import { storeDoubled, transformHalvedOutput, transformOutput } from './output'
import { copyRows, storeQuad } from './planes'
import { matrixOf } from './weights'

/** Quads of a block: panels of both in the second-level cache. */
const QUADS: i32 = 8
const COLUMNS: i32 = 4 * QUADS
/** Bytes of 81 vectors and a line, what is between the two halves of a transform, and of a block's offsets. */
const OFFSETS: usize = 1344
export const TEMPORARY: usize = 1472

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

@inline
function transformedBytes(form: i32, inputs: i32): usize {
  return (<usize>((form == HALVED ? PHASES : 1) * inputs * COLUMNS) << 2) + APART
}

@inline
function productBytes(form: i32, outputs: i32): usize {
  return (<usize>((form == DOUBLED ? PHASES : 1) * outputs * COLUMNS) << 2) + APART
}

/** Bytes of scratch memory of `winograd`. */
export function winogradScratch(form: i32, inputs: i32, outputs: i32, outHeight: i32, outWidth: i32): i32 {
  const plane = sideOf(form, tilesOf(form, outHeight)) * sideOf(form, tilesOf(form, outWidth))
  const points = <usize>pointsOf(form) * (transformedBytes(form, inputs) + productBytes(form, outputs))
  return <i32>(SPARE + TEMPORARY + points) + ((plane + 64) << 2)
}

/**
 * Quads `first` to `end` of all images of y (batch, groups * outputs, outHeight, outWidth) from x (batch, groups * inputs, height, width),
 * with its first element at (top, left) of a border of zeros, and the points of the weight. bias 0: none, as for DOUBLED.
 */
export function winograd(
  form: i32, y: usize, x: usize, points: usize, bias: usize, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, top: i32, left: i32, first: i32, end: i32, scratch: usize,
): void {
  const across = tilesOf(form, outWidth)
  const tiles = tilesOf(form, outHeight) * across
  const perImage = winogradQuads(form, outHeight, outWidth)
  const step = tileStep(form)
  const high = sideOf(form, tilesOf(form, outHeight))
  const row = <usize>sideOf(form, across) << 2
  const positions = outHeight * outWidth
  const plane = <usize>(height * width) << 2
  const temporary = scratch + SPARE
  const transformed = temporary + TEMPORARY
  const transformedStep = transformedBytes(form, inputs)
  const phases = form == HALVED ? PHASES : 1
  const products = transformed + <usize>pointsOf(form) * transformedStep
  const productsStep = productBytes(form, outputs)
  const buffer = products + <usize>pointsOf(form) * productsStep
  const matrices = <usize>pointsOf(form) * matrixOf(form, outputs, inputs)
  memory.fill(buffer, 0, <usize>high * row)
  for (let start = first; start < end; start += QUADS) {
    const stop = min(start + QUADS, end)
    tileOffsets(temporary + OFFSETS, start, stop, perImage, tiles, across, step, row)
    for (let g = 0; g < groups; g++) {
      for (let n = start / perImage; n * perImage < stop; n++) {
        const from = max(start, n * perImage)
        const to = min(stop, (n + 1) * perImage)
        // The rows that these quads see.
        const above = ((from - n * perImage) * 4) / across * step
        const below = min(high, ((to - n * perImage) * 4 - 1) / across * step + sideOf(form, 1))
        for (let i = 0; i < inputs; i++) {
          copyRows(
            buffer, row, x + <usize>((n * groups + g) * inputs + i) * plane, height, width, top, left, above, below,
          )
          for (let q = from; q < to; q++) {
            const column = q - start
            const at = temporary + OFFSETS + (<usize>column << 4)
            const x0 = buffer + <usize>load<i32>(at)
            const x1 = buffer + <usize>load<i32>(at, 4)
            const x2 = buffer + <usize>load<i32>(at, 8)
            const x3 = buffer + <usize>load<i32>(at, 12)
            const out = transformed + (<usize>(((column >> 1) * phases * inputs + i) * 8 + (column & 1) * 4) << 2)
            if (form == PLAIN) transformInput(out, transformedStep, x0, x1, x2, x3, row, temporary)
            else if (form == HALVED) {
              transformHalved(out, transformedStep, <usize>inputs << 5, x0, x1, x2, x3, row, temporary)
            } else transformDoubled(out, transformedStep, x0, x1, x2, x3, row, temporary)
          }
        }
      }
      multiply(
        form, products, productsStep, points + <usize>g * matrices, transformed, transformedStep, inputs, outputs,
        ((stop - start + 1) >> 1) << 3, scratch,
      )
      for (let o = 0; o < outputs; o++) {
        const b = bias != 0 ? f32.load(bias + (<usize>(g * outputs + o) << 2)) : 0.0
        for (let q = start; q < stop; q++) {
          const n = q / perImage
          const t = (q - n * perImage) * 4
          const from = products + (<usize>(o * COLUMNS + (q - start) * 4) << 2)
          const image = y + (<usize>(((n * groups + g) * outputs + o) * positions) << 2)
          const count = min(4, tiles - t)
          if (form == DOUBLED) {
            const phase = <usize>(outputs * COLUMNS) << 2
            storeDoubled(image, from, productsStep, phase, t, count, across, outHeight, outWidth, temporary)
            continue
          }
          if (form == PLAIN) transformOutput(from, productsStep, b, temporary)
          else transformHalvedOutput(from, productsStep, b, temporary)
          storeQuad(image, temporary, t, count, across, outHeight, outWidth)
        }
      }
    }
  }
}

/** A product a point, over the phases that it has. */
function multiply(
  form: i32, products: usize, productsStep: usize, points: usize, transformed: usize, transformedStep: usize,
  inputs: i32, outputs: i32, columns: i32, spare: usize,
): void {
  const matrix = matrixOf(form, outputs, inputs)
  for (let point = 0; point < pointsOf(form); point++) {
    let x = points + <usize>point * matrix
    let panels = transformed + <usize>point * transformedStep
    let out = products + <usize>point * productsStep
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
    rowBlocks(
      out, <usize>COLUMNS << 2, x, <usize>all << 2, panels, <usize>all << 5, inner, rows, columns, false, spare,
    )
  }
}

/** Byte offsets of the first inputs of tiles of quads `start` to `stop`; an image's last tile repeats. */
function tileOffsets(
  out: usize, start: i32, stop: i32, perImage: i32, tiles: i32, across: i32, step: i32, row: usize,
): void {
  for (let q = start; q < stop; q++) {
    for (let lane = 0; lane < 4; lane++, out += 4) {
      const tile = min((q % perImage) * 4 + lane, tiles - 1)
      store<i32>(out, <i32>(<usize>(tile / across * step) * row + (<usize>(tile % across * step) << 2)))
    }
  }
}
