/**
 * Convolution over planes and its two gradients as implicit GEMM: the patches of x (or of dy) are read straight into the
 * panels of `tile`, through two tables of byte offsets into an image with its border of zeros: one number a tap (a
 * channel and a place in the window), one a pixel; the address of an element is their sum.
 * Per output one chain over taps, or over pixels and images, in ascending order, whatever columns a call is given: an
 * image's numbers depend neither on its batch nor on threads. Work is counted in panels: 8 columns of one image.
 */
import { rowBlocks } from './rowBlocks'
import { splat, storePart } from './simd'
import { PANEL, SPARE } from './tile'

/** Blocks as those of gemm. */
const INNER: i32 = 256
const COLUMNS: i32 = 512

// @ts-ignore: decorator
@inline
function panelsOf(columns: i32): i32 {
  return (columns + PANEL - 1) / PANEL
}

// @ts-ignore: decorator
@inline
function divideUp(x: i32, y: i32): i32 {
  return x > 0 ? (x + y - 1) / y : -(-x / y)
}

// @ts-ignore: decorator
@inline
function mod(x: i32, y: i32): i32 {
  const rest = x % y
  return rest < 0 ? rest + y : rest
}

/** `planes` planes of x (height, width) into planes (toHeight, toWidth) with their first element at (top, left), zeros elsewhere. */
function border(
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
function pixelTable(out: usize, height: i32, width: i32, row: i32, stepY: i32, stepX: i32): void {
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
function tapTable(
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
function packTaps(out: usize, image: usize, taps: usize, columns: i32, pixels: usize, inner: i32): void {
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
        turn4(out, t0 + at, t1 + at, t2 + at, t3 + at)
        turn4(out + 16, t4 + at, t5 + at, t6 + at, t7 + at)
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

/** Four rows of four numbers into four columns, 32 bytes apart. */
// @ts-ignore: decorator
@inline
function turn4(out: usize, x0: usize, x1: usize, x2: usize, x3: usize): void {
  const r0 = v128.load(x0)
  const r1 = v128.load(x1)
  const r2 = v128.load(x2)
  const r3 = v128.load(x3)
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
  const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
  const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
  v128.store(out, v128.shuffle<f64>(a, c, 0, 2))
  v128.store(out, v128.shuffle<f64>(a, c, 1, 3), 32)
  v128.store(out, v128.shuffle<f64>(b, d, 0, 2), 64)
  v128.store(out, v128.shuffle<f64>(b, d, 1, 3), 96)
}

/**
 * out (rows, columns `first` to `end`) = weight (rows, inner) times the patches of one image, plus bias (0: none), a
 * number a row. `outRow` and `inner` in elements.
 */
function patchProduct(
  out: usize, outRow: i32, weight: usize, bias: usize, image: usize, taps: usize, pixels: usize,
  rows: i32, inner: i32, first: i32, end: i32, panels: usize, spare: usize,
): void {
  const outStride = <usize>outRow << 2
  const weightStride = <usize>inner << 2
  for (let column = first; column < end; column += COLUMNS) {
    const width = min(COLUMNS, end - column)
    const to = out + (<usize>(column - first) << 2)
    if (bias != 0) {
      for (let row = 0; row < rows; row++) {
        const value = splat(f32.load(bias + (<usize>row << 2)))
        for (let j = 0; j < width; j += 4) storePart(to + <usize>row * outStride + (<usize>j << 2), value, width - j)
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

/** Numbers of scratch memory before a border image: one whole tile, panels. */
const FIXED: i32 = 48 + INNER * COLUMNS

// @ts-ignore: decorator
@inline
function spanOf(positions: i32, stride: i32, kernel: i32, dilation: i32): i32 {
  return (positions - 1) * stride + (kernel - 1) * dilation + 1
}

/** Bytes of scratch memory of `convolution` and `convolutionWeightGradient`. */
export function convolutionScratch(
  inputs: i32, outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32,
  strideHeight: i32, strideWidth: i32, dilationHeight: i32, dilationWidth: i32,
): i32 {
  const high = spanOf(outHeight, strideHeight, kernelHeight, dilationHeight)
  const wide = spanOf(outWidth, strideWidth, kernelWidth, dilationWidth)
  const tables = inputs * kernelHeight * kernelWidth + outHeight * outWidth + 2 * PANEL
  return (FIXED + tables + inputs * high * wide + 64) << 2
}

/** Panels `first` to `end` of all images of y (batch, groups * outputs, outHeight, outWidth). */
export function convolution(
  y: usize, x: usize, weight: usize, bias: usize, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, dilationHeight: i32, dilationWidth: i32, first: i32, end: i32, scratch: usize,
): void {
  const positions = outHeight * outWidth
  const inner = inputs * kernelHeight * kernelWidth
  const bordered = paddingHeight > 0 || paddingWidth > 0
  const high = bordered ? spanOf(outHeight, strideHeight, kernelHeight, dilationHeight) : height
  const wide = bordered ? spanOf(outWidth, strideWidth, kernelWidth, dilationWidth) : width
  const panels = scratch + SPARE
  const taps = scratch + (<usize>FIXED << 2)
  const pixels = taps + (<usize>(inner + PANEL) << 2)
  const buffer = pixels + (<usize>(positions + PANEL) << 2)
  tapTable(taps, inputs, high, wide, kernelHeight, kernelWidth, dilationHeight, dilationWidth)
  pixelTable(pixels, outHeight, outWidth, wide, strideHeight, strideWidth)
  const perImage = panelsOf(positions)
  const plane = <usize>(height * width) << 2
  for (let n = first / perImage; n * perImage < end; n++) {
    const from = max(first - n * perImage, 0) * PANEL
    const to = min((end - n * perImage) * PANEL, positions)
    for (let g = 0; g < groups; g++) {
      const source = x + <usize>((n * groups + g) * inputs) * plane
      if (bordered) border(buffer, high, wide, source, height, width, paddingHeight, paddingWidth, inputs)
      patchProduct(
        y + (<usize>((n * groups + g) * outputs * positions + from) << 2), positions,
        weight + (<usize>(g * outputs * inner) << 2), bias != 0 ? bias + (<usize>(g * outputs) << 2) : 0,
        bordered ? buffer : source, taps, pixels, outputs, inner, from, to, panels, scratch,
      )
    }
  }
}

/**
 * Panels `first` to `end` (of all groups' taps) of dWeight (groups * outputs, taps), one sum over images and pixels.
 */
export function convolutionWeightGradient(
  dWeight: usize, dy: usize, x: usize, batch: i32, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, dilationHeight: i32, dilationWidth: i32, first: i32, end: i32, scratch: usize,
): void {
  const positions = outHeight * outWidth
  const window = kernelHeight * kernelWidth
  const all = inputs * window
  const bordered = paddingHeight > 0 || paddingWidth > 0
  const high = bordered ? spanOf(outHeight, strideHeight, kernelHeight, dilationHeight) : height
  const wide = bordered ? spanOf(outWidth, strideWidth, kernelWidth, dilationWidth) : width
  const panels = scratch + SPARE
  const taps = scratch + (<usize>FIXED << 2)
  const pixels = taps + (<usize>(all + PANEL) << 2)
  const buffer = pixels + (<usize>(positions + PANEL) << 2)
  tapTable(taps, inputs, high, wide, kernelHeight, kernelWidth, dilationHeight, dilationWidth)
  pixelTable(pixels, outHeight, outWidth, wide, strideHeight, strideWidth)
  const perGroup = panelsOf(all)
  const plane = <usize>(height * width) << 2
  const outStride = <usize>all << 2
  for (let g = first / perGroup; g * perGroup < end; g++) {
    const from = max(first - g * perGroup, 0) * PANEL
    const to = min((end - g * perGroup) * PANEL, all)
    const out = dWeight + <usize>(g * outputs) * outStride
    if (batch == 0) for (let o = 0; o < outputs; o++) {
      memory.fill(out + <usize>o * outStride + (<usize>from << 2), 0, <usize>(to - from) << 2)
    }
    // Only the channels of these taps.
    const channel = from / window
    const channels = (to + window - 1) / window - channel
    for (let n = 0; n < batch; n++) {
      const source = x + <usize>((n * groups + g) * inputs) * plane
      if (bordered) {
        border(
          buffer + (<usize>(channel * high * wide) << 2), high, wide, source + <usize>channel * plane,
          height, width, paddingHeight, paddingWidth, channels,
        )
      }
      const rows = dy + (<usize>((n * groups + g) * outputs * positions) << 2)
      for (let k = 0; k < positions; k += INNER) {
        const depth = min(INNER, positions - k)
        for (let column = from; column < to; column += COLUMNS) {
          const count = min(COLUMNS, to - column)
          packTaps(
            panels, bordered ? buffer : source, taps + (<usize>column << 2), count, pixels + (<usize>k << 2), depth,
          )
          rowBlocks(
            out + (<usize>column << 2), outStride, rows + (<usize>k << 2), <usize>positions << 2, panels, <usize>depth << 5,
            depth, outputs, count, n > 0 || k > 0, scratch,
          )
        }
      }
    }
  }
}

/** Positions of the first axis that see element `stride * t + phase` from tap k lie at t + this (where it is whole). */
// @ts-ignore: decorator
@inline
function shift(phase: i32, padding: i32, tap: i32, dilation: i32, stride: i32): i32 {
  return (phase + padding - tap * dilation) / stride
}

// @ts-ignore: decorator
@inline
function sees(phase: i32, padding: i32, tap: i32, dilation: i32, stride: i32): bool {
  return mod(phase + padding - tap * dilation, stride) == 0
}

/** Zeros before the first position, so that no element's patch starts before the border image. */
// @ts-ignore: decorator
@inline
function before(kernel: i32, padding: i32, dilation: i32, stride: i32): i32 {
  return max(0, divideUp((kernel - 1) * dilation - padding, stride))
}

// @ts-ignore: decorator
@inline
function spanOfGradient(length: i32, positions: i32, kernel: i32, padding: i32, dilation: i32, stride: i32): i32 {
  return before(kernel, padding, dilation, stride) + max(positions, (length - 1 + padding) / stride + 1)
}

/** Bytes of scratch memory of `convolutionInputGradient`, its turned weight included. */
export function convolutionInputGradientScratch(
  inputs: i32, outputs: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32,
  strideHeight: i32, strideWidth: i32, paddingHeight: i32, paddingWidth: i32, dilationHeight: i32, dilationWidth: i32,
): i32 {
  const high = spanOfGradient(height, outHeight, kernelHeight, paddingHeight, dilationHeight, strideHeight)
  const wide = spanOfGradient(width, outWidth, kernelWidth, paddingWidth, dilationWidth, strideWidth)
  const window = kernelHeight * kernelWidth
  const pixels = divideUp(height, strideHeight) * divideUp(width, strideWidth)
  const phases = strideHeight * strideWidth
  const apart = phases > 1 ? inputs * (pixels + PANEL) : 0
  const tables = outputs * window + phases * PANEL + pixels + PANEL
  return (FIXED + tables + outputs * high * wide + apart + inputs * outputs * window + 64) << 2
}

/**
 * Panels `first` to `end` of all images of dx (batch, groups * inputs, height, width). Elements of one remainder modulo
 * the stride (a phase) see the same taps: each phase is a convolution of dy of stride 1 with those, so no product with a
 * zero between strides is made. Panels are counted phase by phase.
 */
export function convolutionInputGradient(
  dx: usize, dy: usize, weight: usize, groups: i32, inputs: i32, outputs: i32, height: i32, width: i32,
  outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, dilationHeight: i32, dilationWidth: i32, first: i32, end: i32, scratch: usize,
): void {
  const window = kernelHeight * kernelWidth
  const positions = outHeight * outWidth
  const top = before(kernelHeight, paddingHeight, dilationHeight, strideHeight)
  const left = before(kernelWidth, paddingWidth, dilationWidth, strideWidth)
  const high = spanOfGradient(height, outHeight, kernelHeight, paddingHeight, dilationHeight, strideHeight)
  const wide = spanOfGradient(width, outWidth, kernelWidth, paddingWidth, dilationWidth, strideWidth)
  const bordered = high != outHeight || wide != outWidth
  const phases = strideHeight * strideWidth
  const most = divideUp(height, strideHeight) * divideUp(width, strideWidth)
  const panels = scratch + SPARE
  const taps = scratch + (<usize>FIXED << 2)
  const pixels = taps + (<usize>(outputs * window + PANEL) << 2)
  const buffer = pixels + (<usize>(most + PANEL) << 2)
  const turned = buffer + (<usize>(outputs * high * wide) << 2)
  const apart = turned + (<usize>(inputs * outputs * window) << 2)
  let perImage = 0
  for (let phase = 0; phase < phases; phase++) perImage += phasePanels(phase, height, width, strideHeight, strideWidth)
  const images = (end + perImage - 1) / perImage
  for (let g = 0; g < groups; g++) {
    let start = 0
    for (let phase = 0; phase < phases; phase++) {
      const phaseY = phase / strideWidth
      const phaseX = phase % strideWidth
      const tall = divideUp(height - phaseY, strideHeight)
      const broad = divideUp(width - phaseX, strideWidth)
      const columns = max(tall, 0) * max(broad, 0)
      const count = panelsOf(columns)
      if (count == 0) continue
      // The taps of this phase, and the weight (inputs, outputs * taps) for them.
      let inner = 0
      for (let o = 0; o < outputs; o++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          if (!sees(phaseY, paddingHeight, ky, dilationHeight, strideHeight)) continue
          const atY = o * high + top + shift(phaseY, paddingHeight, ky, dilationHeight, strideHeight)
          for (let kx = 0; kx < kernelWidth; kx++) {
            if (!sees(phaseX, paddingWidth, kx, dilationWidth, strideWidth)) continue
            const at = atY * wide + left + shift(phaseX, paddingWidth, kx, dilationWidth, strideWidth)
            store<i32>(taps + (<usize>inner << 2), at << 2)
            inner++
          }
        }
      }
      let tap = 0
      for (let o = 0; o < outputs; o++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          if (!sees(phaseY, paddingHeight, ky, dilationHeight, strideHeight)) continue
          for (let kx = 0; kx < kernelWidth; kx++) {
            if (!sees(phaseX, paddingWidth, kx, dilationWidth, strideWidth)) continue
            let from = weight + (<usize>((g * outputs + o) * inputs * window + ky * kernelWidth + kx) << 2)
            let to = turned + (<usize>tap << 2)
            tap++
            for (let i = 0; i < inputs; i++) {
              f32.store(to, f32.load(from))
              from += <usize>window << 2
              to += <usize>inner << 2
            }
          }
        }
      }
      pixelTable(pixels, tall, broad, wide, 1, 1)
      for (let n = first / perImage; n < images; n++) {
        const from = max(first - n * perImage - start, 0) * PANEL
        const to = min((end - n * perImage - start) * PANEL, columns)
        if (from >= to) continue
        const source = dy + (<usize>((n * groups + g) * outputs * positions) << 2)
        const out = dx + (<usize>((n * groups + g) * inputs * height * width) << 2)
        if (bordered) border(buffer, high, wide, source, outHeight, outWidth, top, left, outputs)
        const image = bordered ? buffer : source
        if (phases == 1) {
          patchProduct(
            out + (<usize>from << 2), height * width, turned, 0, image, taps, pixels, inputs, inner, from, to, panels,
            scratch,
          )
          continue
        }
        patchProduct(apart, to - from, turned, 0, image, taps, pixels, inputs, inner, from, to, panels, scratch)
        for (let i = 0; i < inputs; i++) {
          for (let j = from; j < to; j++) {
            const y = phaseY + strideHeight * (j / broad)
            const x = phaseX + strideWidth * (j % broad)
            const at = <usize>((i * height + y) * width + x) << 2
            f32.store(out + at, f32.load(apart + (<usize>(i * (to - from) + j - from) << 2)))
          }
        }
      }
      start += count
    }
  }
}

function phasePanels(phase: i32, height: i32, width: i32, strideHeight: i32, strideWidth: i32): i32 {
  const tall = divideUp(height - phase / strideWidth, strideHeight)
  const broad = divideUp(width - (phase % strideWidth), strideWidth)
  return panelsOf(max(tall, 0) * max(broad, 0))
}

/** Panels of an image of dx. */
export function convolutionInputGradientPanels(height: i32, width: i32, strideHeight: i32, strideWidth: i32): i32 {
  let count = 0
  for (let phase = 0; phase < strideHeight * strideWidth; phase++) {
    count += phasePanels(phase, height, width, strideHeight, strideWidth)
  }
  return count
}
