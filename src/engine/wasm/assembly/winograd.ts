/**
 * Convolution with a window of 3 x 3 and stride 1 after Winograd, F(4 x 4, 3 x 3): a tile of 4 x 4 outputs takes 36 products a channel
 * instead of 144. Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A, summed over channels as 36 products of matrices.
 * The gradient of the weight is its transpose, with as few products.
 * Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", arXiv 1509.09308.
 * A tile's numbers depend on its own 6 x 6 inputs alone: neither on its batch nor on threads. They are off by more than a direct sum's,
 * some four times as much, within the bound of law K1 that running these transforms gives. Work is counted in quads: four tiles of one
 * image, in the lanes of a vector.
 */
import { rowBlocks } from './convolution'
import { block } from './gemm'
import { madd, nmadd, splat, storePart } from './simd'
import { PANEL, SPARE } from './tile'

/** Side of a tile's outputs and of its inputs. */
const OUT: i32 = 4
const IN: i32 = 6
/** Products a tile. */
const POINTS: i32 = 36
/** Quads of a block: panels of both in the second-level cache. */
const QUADS: i32 = 8
const COLUMNS: i32 = 4 * QUADS
/** Bytes between points beside their numbers: points a power of two apart would share a few sets of the first-level cache. */
const APART: usize = 64
/** Bytes of 40 vectors, what is between the two halves of a transform, and of a block's offsets. */
const OFFSETS: usize = 640
const TEMPORARY: usize = 768

// @ts-ignore: decorator
@inline
function tilesOf(length: i32): i32 {
  return (length + OUT - 1) / OUT
}

/** Quads of an image of (outHeight, outWidth). */
export function winogradQuads(outHeight: i32, outWidth: i32): i32 {
  return (tilesOf(outHeight) * tilesOf(outWidth) + 3) / 4
}

/**
 * Rows `above` to `below` of a plane with rows of `row` bytes, as far as x (height, width) with its first element at (top, left) has them: the
 * zeros around it stay.
 */
function copyRows(
  out: usize, row: usize, x: usize, height: i32, width: i32, top: i32, left: i32, above: i32, below: i32,
): void {
  const bytes = <usize>width << 2
  const end = min(below, top + height)
  for (let y = max(above, top); y < end; y++) {
    const from = x + <usize>(y - top) * bytes
    const to = out + <usize>y * row + (<usize>left << 2)
    if (width < 4) {
      for (let at: usize = 0; at < bytes; at += 4) f32.store(to + at, f32.load(from + at))
      continue
    }
    for (let at: usize = 0; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at))
    v128.store(to + bytes - 16, v128.load(from + bytes - 16))
  }
}

/** Four numbers at one address and three more a step apart. */
// @ts-ignore: decorator
@inline
function lanes(from: usize, step: usize): v128 {
  let v = v128.load32_zero(from)
  v = v128.load32_lane(from + step, v, 1)
  v = v128.load32_lane(from + 2 * step, v, 2)
  return v128.load32_lane(from + 3 * step, v, 3)
}

/** G times three numbers, 16 bytes apart in `out`, `step` bytes apart. */
// @ts-ignore: decorator
@inline
function weightPoints(out: usize, step: usize, a: v128, b: v128, c: v128): void {
  const sixth = splat(-0.16666667)
  const even = f32x4.mul(f32x4.add(a, c), sixth)
  const odd = f32x4.mul(b, sixth)
  const far = madd(c, splat(0.16666667), f32x4.mul(a, splat(0.041666668)))
  const side = f32x4.mul(b, splat(0.083333336))
  v128.store(out, f32x4.mul(a, splat(0.25)))
  v128.store(out + step, f32x4.add(even, odd))
  v128.store(out + 2 * step, f32x4.sub(even, odd))
  v128.store(out + 3 * step, f32x4.add(far, side))
  v128.store(out + 4 * step, f32x4.sub(far, side))
  v128.store(out + 5 * step, c)
}

/**
 * points (groups, 36, rows x columns and a line) from weight (groups, rows, columns, 3, 3), or for the gradient of the input (`turned`) from
 * (groups, columns, rows, 3, 3) with its windows turned half around. Rows `first` to `end` of all groups; `scratch` of 1 KB.
 */
export function winogradWeights(
  points: usize, weight: usize, rows: i32, columns: i32, turned: i32, first: i32, end: i32, scratch: usize,
): void {
  const step = turned ? <usize>(rows * 9) << 2 : 36
  const plane = (<usize>(rows * columns) << 2) + APART
  for (let row = first; row < end; row++) {
    const g = row / rows
    const r = row % rows
    const from = weight + (<usize>(turned ? (g * columns * rows + r) * 9 : row * columns * 9) << 2)
    const to = points + <usize>(g * POINTS) * plane + (<usize>(r * columns) << 2)
    for (let c = 0; c < columns; c += 4) {
      const at = from + <usize>c * step
      for (let x: usize = 0; x < 3; x++) {
        const a = turned ? 8 - x : x
        const b = turned ? 5 - x : 3 + x
        const d = turned ? 2 - x : 6 + x
        weightPoints(
          scratch + (x << 4), 48, lanes(at + (a << 2), step), lanes(at + (b << 2), step), lanes(at + (d << 2), step),
        )
      }
      for (let y: usize = 0; y < 6; y++) {
        const line = scratch + y * 48
        weightPoints(scratch + 512, 16, v128.load(line), v128.load(line, 16), v128.load(line, 32))
        for (let x: usize = 0; x < 6; x++) {
          v128.store(to + (y * 6 + x) * plane + (<usize>c << 2), v128.load(scratch + 512 + (x << 4)))
        }
      }
    }
  }
}

/** Bᵀ times six numbers, 16 bytes apart in `out`, `step` bytes apart. */
// @ts-ignore: decorator
@inline
function inputPoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128): void {
  const four = splat(4.0)
  const five = splat(5.0)
  const two = splat(2.0)
  const a = nmadd(four, d2, d4)
  const b = nmadd(four, d1, d3)
  const c = f32x4.sub(d4, d2)
  const e = f32x4.mul(two, f32x4.sub(d3, d1))
  v128.store(out, nmadd(five, d2, madd(four, d0, d4)))
  v128.store(out + step, f32x4.add(a, b))
  v128.store(out + 2 * step, f32x4.sub(a, b))
  v128.store(out + 3 * step, f32x4.add(c, e))
  v128.store(out + 4 * step, f32x4.sub(c, e))
  v128.store(out + 5 * step, nmadd(five, d3, madd(four, d1, d5)))
}

/** Points of a quad of one plane: 36 vectors `step` bytes apart. `row` in bytes; `temporary` holds 36 vectors. */
function transformInput(
  out: usize, step: usize, x0: usize, x1: usize, x2: usize, x3: usize, row: usize, temporary: usize,
): void {
  for (let y: usize = 0; y < 6; y++) {
    const r0 = v128.load(x0)
    const r1 = v128.load(x1)
    const r2 = v128.load(x2)
    const r3 = v128.load(x3)
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
    const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
    const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
    let low = v128.load64_zero(x0, 16)
    low = v128.load64_lane(x1, low, 1, 16)
    let high = v128.load64_zero(x2, 16)
    high = v128.load64_lane(x3, high, 1, 16)
    inputPoints(
      temporary + y * 96, 16,
      v128.shuffle<f64>(a, c, 0, 2), v128.shuffle<f64>(a, c, 1, 3),
      v128.shuffle<f64>(b, d, 0, 2), v128.shuffle<f64>(b, d, 1, 3),
      v128.shuffle<f32>(low, high, 0, 2, 4, 6), v128.shuffle<f32>(low, high, 1, 3, 5, 7),
    )
    x0 += row
    x1 += row
    x2 += row
    x3 += row
  }
  for (let x: usize = 0; x < 6; x++) {
    const line = temporary + (x << 4)
    inputPoints(
      out + x * step, 6 * step, v128.load(line), v128.load(line, 96), v128.load(line, 192), v128.load(line, 288),
      v128.load(line, 384), v128.load(line, 480),
    )
  }
}

/** Aᵀ times six numbers. */
// @ts-ignore: decorator
@inline
function outputSums(
  out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128, bias: v128,
): void {
  const s1 = f32x4.add(m1, m2)
  const s2 = f32x4.add(m3, m4)
  const d1 = f32x4.sub(m1, m2)
  const d2 = f32x4.sub(m3, m4)
  v128.store(out, f32x4.add(f32x4.add(f32x4.add(m0, s1), s2), bias))
  v128.store(out + step, f32x4.add(madd(splat(2.0), d2, d1), bias))
  v128.store(out + 2 * step, f32x4.add(madd(splat(4.0), s2, s1), bias))
  v128.store(out + 3 * step, f32x4.add(f32x4.add(madd(splat(8.0), d2, d1), m5), bias))
}

/** The 4 x 4 outputs of a quad, a vector a row and tile in `temporary`, from 36 vectors `step` bytes apart. */
function transformOutput(from: usize, step: usize, bias: f32, temporary: usize): void {
  const zero = splat(0.0)
  const sums = temporary + 256
  for (let x: usize = 0; x < 6; x++) {
    const m = from + x * step
    outputSums(
      sums + (x << 4), 96, v128.load(m), v128.load(m + 6 * step), v128.load(m + 12 * step), v128.load(m + 18 * step),
      v128.load(m + 24 * step), v128.load(m + 30 * step), zero,
    )
  }
  for (let y: usize = 0; y < 4; y++) {
    const line = sums + y * 96
    const to = temporary + (y << 6)
    outputSums(
      to, 16, v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), v128.load(line, 64),
      v128.load(line, 80), splat(bias),
    )
    turn(to)
  }
}

/** Four vectors in a row, transposed. */
// @ts-ignore: decorator
@inline
function turn(at: usize): void {
  const r0 = v128.load(at)
  const r1 = v128.load(at, 16)
  const r2 = v128.load(at, 32)
  const r3 = v128.load(at, 48)
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
  const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
  const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
  v128.store(at, v128.shuffle<f64>(a, c, 0, 2))
  v128.store(at, v128.shuffle<f64>(a, c, 1, 3), 16)
  v128.store(at, v128.shuffle<f64>(b, d, 0, 2), 32)
  v128.store(at, v128.shuffle<f64>(b, d, 1, 3), 48)
}

/** Bytes of scratch memory of `winograd`. */
export function winogradScratch(inputs: i32, outputs: i32, outHeight: i32, outWidth: i32): i32 {
  const plane = (tilesOf(outHeight) * OUT + 2) * (tilesOf(outWidth) * OUT + 2)
  return <i32>(SPARE + TEMPORARY + 2 * <usize>POINTS * APART) + ((POINTS * COLUMNS * (inputs + outputs) + plane + 64) << 2)
}

/**
 * Quads `first` to `end` of all images of y (batch, groups * outputs, outHeight, outWidth) from x (batch, groups * inputs, height, width),
 * with its first element at (top, left) of a border of zeros, and the points of the weight. bias 0: none.
 */
export function winograd(
  y: usize, x: usize, points: usize, bias: usize, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, top: i32, left: i32, first: i32, end: i32, scratch: usize,
): void {
  const across = tilesOf(outWidth)
  const tiles = tilesOf(outHeight) * across
  const perImage = winogradQuads(outHeight, outWidth)
  const high = tilesOf(outHeight) * OUT + 2
  const wide = across * OUT + 2
  const row = <usize>wide << 2
  const positions = outHeight * outWidth
  const plane = <usize>(height * width) << 2
  const temporary = scratch + SPARE
  const transformed = temporary + TEMPORARY
  const transformedStep = (<usize>(inputs * COLUMNS) << 2) + APART
  const products = transformed + <usize>POINTS * transformedStep
  const productsStep = (<usize>(outputs * COLUMNS) << 2) + APART
  const buffer = products + <usize>POINTS * productsStep
  const matrix = (<usize>(outputs * inputs) << 2) + APART
  memory.fill(buffer, 0, <usize>high * row)
  for (let start = first; start < end; start += QUADS) {
    const stop = min(start + QUADS, end)
    const columns = ((stop - start + 1) >> 1) << 3
    tileOffsets(temporary + OFFSETS, start, stop, perImage, tiles, across, row)
    for (let g = 0; g < groups; g++) {
      for (let n = start / perImage; n * perImage < stop; n++) {
        const from = max(start, n * perImage)
        const to = min(stop, (n + 1) * perImage)
        // The rows that these quads see.
        const above = ((from - n * perImage) * 4) / across * OUT
        const below = min(high, ((to - n * perImage) * 4 - 1) / across * OUT + IN)
        for (let i = 0; i < inputs; i++) {
          copyRows(
            buffer, row, x + <usize>((n * groups + g) * inputs + i) * plane, height, width, top, left, above, below,
          )
          for (let q = from; q < to; q++) {
            const column = q - start
            const at = temporary + OFFSETS + (<usize>column << 4)
            transformInput(
              transformed + (<usize>(((column >> 1) * inputs + i) * 8 + (column & 1) * 4) << 2), transformedStep,
              buffer + <usize>load<i32>(at), buffer + <usize>load<i32>(at, 4), buffer + <usize>load<i32>(at, 8),
              buffer + <usize>load<i32>(at, 12), row, temporary,
            )
          }
        }
      }
      for (let point: usize = 0; point < <usize>POINTS; point++) {
        rowBlocks(
          products + point * productsStep, <usize>COLUMNS << 2, points + (<usize>(g * POINTS) + point) * matrix,
          <usize>inputs << 2, transformed + point * transformedStep, inputs, outputs, columns, false, scratch,
        )
      }
      for (let o = 0; o < outputs; o++) {
        const b = bias != 0 ? f32.load(bias + (<usize>(g * outputs + o) << 2)) : 0.0
        for (let q = start; q < stop; q++) {
          const n = q / perImage
          const t = (q - n * perImage) * 4
          transformOutput(products + (<usize>(o * COLUMNS + (q - start) * 4) << 2), productsStep, b, temporary)
          const image = y + (<usize>(((n * groups + g) * outputs + o) * positions) << 2)
          storeQuad(image, temporary, t, min(4, tiles - t), across, outHeight, outWidth)
        }
      }
    }
  }
}

/** Byte offsets of the first inputs of tiles of quads `start` to `stop`; an image's last tile repeats. */
function tileOffsets(
  out: usize, start: i32, stop: i32, perImage: i32, tiles: i32, across: i32, row: usize,
): void {
  for (let q = start; q < stop; q++) {
    for (let lane = 0; lane < 4; lane++, out += 4) {
      const tile = min((q % perImage) * 4 + lane, tiles - 1)
      store<i32>(out, <i32>(<usize>(tile / across * OUT) * row + (<usize>(tile % across * OUT) << 2)))
    }
  }
}

/** Writes `count` tiles from `t` on: rows of four vectors of tiles, turned to four numbers of each tile, inside the plane alone. */
function storeQuad(image: usize, from: usize, t: i32, count: i32, across: i32, outHeight: i32, outWidth: i32): void {
  let top = t / across * OUT
  let left = t % across * OUT
  const row = <usize>outWidth << 2
  for (let tile = 0; tile < count; tile++) {
    const to = image + (<usize>(top * outWidth + left) << 2)
    const whole = left + OUT <= outWidth
    for (let i: usize = 0; i < <usize>min(OUT, outHeight - top); i++) {
      const v = v128.load(from + (((i << 2) + <usize>tile) << 4))
      if (whole) v128.store(to + i * row, v)
      else storePart(to + i * row, v, outWidth - left)
    }
    left += OUT
    if (left >= outWidth) {
      left = 0
      top += OUT
    }
  }
}

/** A times four numbers, `step` bytes apart in `out`. */
// @ts-ignore: decorator
@inline
function cotangentPoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128): void {
  const even = f32x4.add(d0, d2)
  const odd = f32x4.add(d1, d3)
  const far = madd(splat(4.0), d2, d0)
  const side = madd(splat(8.0), d3, f32x4.add(d1, d1))
  v128.store(out, d0)
  v128.store(out + step, f32x4.add(even, odd))
  v128.store(out + 2 * step, f32x4.sub(even, odd))
  v128.store(out + 3 * step, f32x4.add(far, side))
  v128.store(out + 4 * step, f32x4.sub(far, side))
  v128.store(out + 5 * step, d3)
}

/** Points of a tile of four planes, `plane` bytes apart, in the lanes: 36 vectors `step` bytes apart. */
function transformCotangent(out: usize, step: usize, from: usize, plane: usize, row: usize, temporary: usize): void {
  for (let y: usize = 0; y < 4; y++, from += row) {
    const r0 = v128.load(from)
    const r1 = v128.load(from + plane)
    const r2 = v128.load(from + 2 * plane)
    const r3 = v128.load(from + 3 * plane)
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
    const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
    const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
    cotangentPoints(
      temporary + y * 96, 16, v128.shuffle<f64>(a, c, 0, 2), v128.shuffle<f64>(a, c, 1, 3),
      v128.shuffle<f64>(b, d, 0, 2), v128.shuffle<f64>(b, d, 1, 3),
    )
  }
  for (let x: usize = 0; x < 6; x++) {
    const line = temporary + (x << 4)
    cotangentPoints(
      out + x * step, 6 * step, v128.load(line), v128.load(line, 96), v128.load(line, 192), v128.load(line, 288),
    )
  }
}

/** Gᵀ times six numbers, `step` bytes apart in `out`. */
// @ts-ignore: decorator
@inline
function weightSums(out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128): void {
  const sixth = splat(0.16666667)
  const near = f32x4.mul(f32x4.add(m1, m2), sixth)
  const far = f32x4.mul(f32x4.add(m3, m4), sixth)
  v128.store(out, madd(splat(0.25), f32x4.add(m0, far), f32x4.neg(near)))
  v128.store(
    out + step, madd(splat(0.083333336), f32x4.sub(m3, m4), f32x4.mul(f32x4.sub(m2, m1), sixth)),
  )
  v128.store(out + 2 * step, f32x4.add(f32x4.sub(far, near), m5))
}

/** Windows of four inputs, of 36 bytes each, from 36 vectors `step` bytes apart. */
function transformWeight(out: usize, from: usize, step: usize, temporary: usize): void {
  for (let x: usize = 0; x < 6; x++) {
    const m = from + x * step
    weightSums(
      temporary + (x << 4), 96, v128.load(m), v128.load(m + 6 * step), v128.load(m + 12 * step),
      v128.load(m + 18 * step), v128.load(m + 24 * step), v128.load(m + 30 * step),
    )
  }
  const row = temporary + 288
  for (let y: usize = 0; y < 3; y++) {
    const line = temporary + y * 96
    weightSums(
      row, 16, v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), v128.load(line, 64),
      v128.load(line, 80),
    )
    for (let x: usize = 0; x < 3; x++, out += 4) {
      const v = v128.load(row + (x << 4))
      v128.store32_lane(out, v, 0)
      v128.store32_lane(out, v, 1, 36)
      v128.store32_lane(out, v, 2, 72)
      v128.store32_lane(out, v, 3, 108)
    }
  }
}

/** Tiles that are transformed at once. */
const TILES: i32 = 64

// @ts-ignore: decorator
@inline
function wholePanels(columns: i32): i32 {
  return (columns + PANEL - 1) / PANEL * PANEL
}

/** Bytes of scratch memory of `winogradWeightGradient`. */
export function winogradWeightGradientScratch(inputs: i32, outputs: i32, outHeight: i32, outWidth: i32): i32 {
  const plane = (tilesOf(outHeight) * OUT + 2) * (tilesOf(outWidth) * OUT + 2)
  const points = TILES * (wholePanels(inputs) + outputs + 4) + outputs * inputs
  return <i32>(SPARE + TEMPORARY + 3 * <usize>POINTS * APART) + ((POINTS * points + 8 * plane + 64) << 2)
}

/**
 * dWeight (groups * outputs, inputs, 3, 3) = Gᵀ[Σ (A dy Aᵀ) ⊙ (Bᵀ x B)]G over the tiles of all images, the transpose of `winograd` in its
 * weight: 36 products of matrices (outputs, tiles) and (tiles, inputs), one sum over tiles in ascending order. Fours `first` to `end` of
 * the outputs of all groups. `top` and `left`: the padding.
 */
export function winogradWeightGradient(
  dWeight: usize, dy: usize, x: usize, batch: i32, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, top: i32, left: i32, first: i32, end: i32, scratch: usize,
): void {
  const across = tilesOf(outWidth)
  const perImage = tilesOf(outHeight) * across
  const all = batch * perImage
  const high = tilesOf(outHeight) * OUT
  const wide = across * OUT
  const row = <usize>(wide + 2) << 2
  const plane = row * <usize>(high + 2)
  const dyRow = <usize>wide << 2
  const dyPlane = dyRow * <usize>high
  const elements = <usize>(height * width) << 2
  const positions = <usize>(outHeight * outWidth) << 2
  const temporary = scratch + SPARE
  const panels = temporary + TEMPORARY
  const panelsStep = (<usize>(TILES * wholePanels(inputs)) << 2) + APART
  const rows = panels + <usize>POINTS * panelsStep
  // Sixteen bytes more, so that rows are no power of two apart.
  const tileStep = <usize>(outputs + 4) << 2
  const rowsStep = <usize>TILES * tileStep + APART
  const products = rows + <usize>POINTS * rowsStep
  const productsStep = (<usize>(outputs * inputs) << 2) + APART
  const buffer = products + <usize>POINTS * productsStep
  const dyBuffer = buffer + 4 * plane
  memory.fill(buffer, 0, 4 * (plane + dyPlane))
  const fours = outputs / 4
  for (let g = first / fours; g * fours < end; g++) {
    const from = max(first - g * fours, 0) * 4
    const to = min((end - g * fours) * 4, outputs)
    for (let start = 0; start < all; start += TILES) {
      const stop = min(start + TILES, all)
      for (let n = start / perImage; n * perImage < stop; n++) {
        const low = max(start - n * perImage, 0)
        const most = min(stop - n * perImage, perImage)
        const tile = n * perImage - start
        // The rows that these tiles see, and bytes before the first of them.
        const above = low / across * OUT
        const before = <usize>(low % across * OUT) << 2
        const below = (most - 1) / across * OUT + OUT
        for (let i = 0; i < inputs; i += 4) {
          const source = x + <usize>((n * groups + g) * inputs + i) * elements
          for (let lane: usize = 0; lane < 4; lane++) {
            copyRows(
              buffer + lane * plane, row, source + lane * elements, height, width, top, left, above, below + 2,
            )
          }
          const panel = panels + (<usize>((i / PANEL) * TILES * PANEL + i % PANEL) << 2)
          let at = buffer + <usize>above * row + before
          for (let t = low, left = low - above / OUT * across; t < most; t++) {
            transformInput(
              panel + (<usize>((tile + t) * PANEL) << 2), panelsStep, at, at + plane, at + 2 * plane, at + 3 * plane, row,
              temporary,
            )
            at += 16
            if (++left == across) {
              left = 0
              at += 4 * row - (<usize>wide << 2)
            }
          }
        }
        for (let o = from; o < to; o += 4) {
          const source = dy + <usize>((n * groups + g) * outputs + o) * positions
          for (let lane: usize = 0; lane < 4; lane++) {
            copyRows(
              dyBuffer + lane * dyPlane, dyRow, source + lane * positions, outHeight, outWidth, 0, 0, above, below,
            )
          }
          let at = dyBuffer + <usize>above * dyRow + before
          for (let t = low, left = low - above / OUT * across; t < most; t++) {
            transformCotangent(
              rows + <usize>(tile + t) * tileStep + (<usize>(o - from) << 2), rowsStep, at, dyPlane, dyRow, temporary,
            )
            at += 16
            if (++left == across) {
              left = 0
              at += 3 * dyRow
            }
          }
        }
      }
      for (let point: usize = 0; point < <usize>POINTS; point++) {
        block(
          products + point * productsStep, <usize>inputs << 2, rows + point * rowsStep, 4, tileStep,
          panels + point * panelsStep, <usize>(TILES * PANEL) << 2, stop - start, to - from, inputs, start > 0, 0, scratch,
        )
      }
    }
    for (let o = from; o < to; o++) {
      for (let i = 0; i < inputs; i += 4) {
        transformWeight(
          dWeight + (<usize>(((g * outputs + o) * inputs + i) * 9) << 2),
          products + (<usize>((o - from) * inputs + i) << 2), productsStep, temporary,
        )
      }
    }
  }
}
