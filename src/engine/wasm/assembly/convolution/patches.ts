/**
 * Patches of x (or of dy) in the panels of `tile`, without unfolding them: through two tables of byte offsets into an image with its border of
 * zeros, one number a tap (a channel and a place in the window), one a pixel; the address of an element is their sum.
 */
import { INNER, Y_COLUMNS } from '../gemm'
import { rowBlocks } from '../rowBlocks'
import { fill, storePart } from '../simd'
import { PANEL } from '../tile'
import { turn } from '../turn'

/** Numbers of scratch memory before a border image: one whole tile, panels. */
export const FIXED: i32 = 48 + INNER * Y_COLUMNS

@inline
export function panelsOf(columns: i32): i32 {
  return (columns + PANEL - 1) / PANEL
}

/** `planes` planes of x (height, width) into planes (toHeight, toWidth) with their first element at (top, left), zeros elsewhere. */
export function border(
  out: usize, toHeight: i32, toWidth: i32, x: usize, height: i32, width: i32, top: i32, left: i32, planes: i32,
): void {
  const count = min(width, toWidth - left)
  const row = <usize>toWidth << 2
  const before = <usize>left << 2
  const copied = <usize>max(count, 0) << 2
  for (; planes > 0; planes--, x += <usize>(height * width) << 2) {
    for (let i = 0; i < toHeight; i++, out += row) {
      if (i < top || i >= top + height || count <= 0) {
        for (let at: usize = 0; at < row; at += 4) f32.store(out + at, 0.0)
        continue
      }
      const from = x + (<usize>((i - top) * width) << 2)
      let at: usize = 0
      for (; at < before; at += 4) f32.store(out + at, 0.0)
      for (let j: usize = 0; j < copied; j += 16) storePart(out + before + j, v128.load(from + j), <i32>((copied - j) >> 2))
      for (at = before + copied; at < row; at += 4) f32.store(out + at, 0.0)
    }
  }
}

/** Byte offsets of pixels: rows of `width`, `stepY` and `stepX` elements apart in rows of `row`; the last one repeats to whole panels. */
export function pixelTable(out: usize, height: i32, width: i32, row: i32, stepY: i32, stepX: i32): void {
  let last = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, out += 4) {
      last = (y * stepY * row + x * stepX) << 2
      store<i32>(out, last)
    }
  }
  for (let i = 0; i < PANEL; i++) store<i32>(out + (<usize>i << 2), last)
}

/** Byte offsets of taps: `planes` planes of (height, width), a window in each. The last one repeats to whole panels. */
export function tapTable(
  out: usize, planes: i32, height: i32, width: i32, kernelHeight: i32, kernelWidth: i32, stepY: i32, stepX: i32,
): void {
  let last = 0
  for (let i = 0; i < planes; i++) {
    for (let y = 0; y < kernelHeight; y++) {
      for (let x = 0; x < kernelWidth; x++, out += 4) {
        last = ((i * height + y * stepY) * width + x * stepX) << 2
        store<i32>(out, last)
      }
    }
  }
  for (let i = 0; i < PANEL; i++) store<i32>(out + (<usize>i << 2), last)
}

/** Panels (columns / 8, taps, 8) of image[tap + pixel]: lanes are pixels. */
function packPixels(out: usize, image: usize, taps: usize, inner: i32, pixels: usize, columns: i32): void {
  const end = taps + (<usize>inner << 2)
  for (let j = 0; j < columns; j += PANEL, pixels += 32) {
    const p0 = image + <usize>load<i32>(pixels)
    const p3 = image + <usize>load<i32>(pixels, 12)
    const p4 = image + <usize>load<i32>(pixels, 16)
    const p7 = image + <usize>load<i32>(pixels, 28)
    if (p3 - p0 == 12 && p7 - p4 == 12) {
      for (let tap = taps; tap < end; tap += 4, out += 32) {
        const at = <usize>load<i32>(tap)
        v128.store(out, v128.load(p0 + at))
        v128.store(out, v128.load(p4 + at), 16)
      }
      continue
    }
    const p1 = image + <usize>load<i32>(pixels, 4)
    const p2 = image + <usize>load<i32>(pixels, 8)
    const p5 = image + <usize>load<i32>(pixels, 20)
    const p6 = image + <usize>load<i32>(pixels, 24)
    for (let tap = taps; tap < end; tap += 4, out += 32) {
      const at = <usize>load<i32>(tap)
      let a = v128.load32_zero(p0 + at)
      a = v128.load32_lane(p1 + at, a, 1)
      a = v128.load32_lane(p2 + at, a, 2)
      a = v128.load32_lane(p3 + at, a, 3)
      let b = v128.load32_zero(p4 + at)
      b = v128.load32_lane(p5 + at, b, 1)
      b = v128.load32_lane(p6 + at, b, 2)
      b = v128.load32_lane(p7 + at, b, 3)
      v128.store(out, a)
      v128.store(out, b, 16)
    }
  }
}

/** Panels (columns / 8, pixels, 8) of image[tap + pixel]: lanes are taps. */
export function packTaps(out: usize, image: usize, taps: usize, columns: i32, pixels: usize, inner: i32): void {
  for (let j = 0; j < columns; j += PANEL, taps += 32) {
    const t0 = image + <usize>load<i32>(taps)
    const t1 = image + <usize>load<i32>(taps, 4)
    const t2 = image + <usize>load<i32>(taps, 8)
    const t3 = image + <usize>load<i32>(taps, 12)
    const t4 = image + <usize>load<i32>(taps, 16)
    const t5 = image + <usize>load<i32>(taps, 20)
    const t6 = image + <usize>load<i32>(taps, 24)
    const t7 = image + <usize>load<i32>(taps, 28)
    let i = 0
    while (i < inner) {
      const pixel = pixels + (<usize>i << 2)
      const at = <usize>load<i32>(pixel)
      if (i + 4 <= inner && <usize>load<i32>(pixel, 12) - at == 12) {
        turn(out, 32, t0 + at, t1 + at, t2 + at, t3 + at)
        turn(out + 16, 32, t4 + at, t5 + at, t6 + at, t7 + at)
        out += 128
        i += 4
        continue
      }
      let a = v128.load32_zero(t0 + at)
      a = v128.load32_lane(t1 + at, a, 1)
      a = v128.load32_lane(t2 + at, a, 2)
      a = v128.load32_lane(t3 + at, a, 3)
      let b = v128.load32_zero(t4 + at)
      b = v128.load32_lane(t5 + at, b, 1)
      b = v128.load32_lane(t6 + at, b, 2)
      b = v128.load32_lane(t7 + at, b, 3)
      v128.store(out, a)
      v128.store(out, b, 16)
      out += 32
      i++
    }
  }
}

/**
 * out (rows, columns `first` to `end`) = weight (rows, inner) times the patches of one image, plus bias (0: none), a
 * number a row. `outRow` and `inner` in elements.
 */
export function patchProduct(
  out: usize, outRow: i32, weight: usize, bias: usize, image: usize, taps: usize, pixels: usize,
  rows: i32, inner: i32, first: i32, end: i32, panels: usize, spare: usize,
): void {
  const outStride = <usize>outRow << 2
  const weightStride = <usize>inner << 2
  for (let column = first; column < end; column += Y_COLUMNS) {
    const width = min(Y_COLUMNS, end - column)
    const to = out + (<usize>(column - first) << 2)
    if (bias != 0) {
      for (let row = 0; row < rows; row++) {
        fill(to + <usize>row * outStride, f32.load(bias + (<usize>row << 2)), width)
      }
    }
    let k = 0
    do {
      const depth = min(INNER, inner - k)
      packPixels(panels, image, taps + (<usize>k << 2), depth, pixels + (<usize>column << 2), width)
      rowBlocks(
        to, outStride, weight + (<usize>k << 2), weightStride, panels, <usize>depth << 5, depth, rows, width, k > 0 || bias != 0,
        spare,
      )
      k += depth
    } while (k < inner)
  }
}
