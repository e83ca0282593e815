/** The gradient of a convolution's input as implicit GEMM: a convolution of dy with stride 1 for each remainder modulo the stride. */
import { PANEL, SPARE } from '../tile'
import { border, FIXED, panelsOf, patchProduct, pixelTable } from './patches'

@inline
function divideUp(x: i32, y: i32): i32 {
  return x > 0 ? (x + y - 1) / y : -(-x / y)
}

@inline
function mod(x: i32, y: i32): i32 {
  const rest = x % y
  return rest < 0 ? rest + y : rest
}

/** Positions of the first axis that see element `stride * t + phase` from tap k lie at t + this (where it is whole). */
@inline
function shift(phase: i32, padding: i32, tap: i32, dilation: i32, stride: i32): i32 {
  return (phase + padding - tap * dilation) / stride
}

@inline
function sees(phase: i32, padding: i32, tap: i32, dilation: i32, stride: i32): bool {
  return mod(phase + padding - tap * dilation, stride) == 0
}

/** Zeros before the first position, so that no element's patch starts before the border image. */
@inline
function before(kernel: i32, padding: i32, dilation: i32, stride: i32): i32 {
  return max(0, divideUp((kernel - 1) * dilation - padding, stride))
}

@inline
function spanOfGradient(length: i32, positions: i32, kernel: i32, padding: i32, dilation: i32, stride: i32): i32 {
  return before(kernel, padding, dilation, stride) + max(positions, (length - 1 + padding) / stride + 1)
}

/** Bytes of scratch memory of `convolutionInputGradient`, its turned weight included: of large borders and strides more than 32 bits count. */
export function convolutionInputGradientScratch(
  inputs: i32, outputs: i32, height: i32, width: i32, outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32,
  strideHeight: i32, strideWidth: i32, paddingHeight: i32, paddingWidth: i32, dilationHeight: i32, dilationWidth: i32,
): f64 {
  const high = spanOfGradient(height, outHeight, kernelHeight, paddingHeight, dilationHeight, strideHeight)
  const wide = spanOfGradient(width, outWidth, kernelWidth, paddingWidth, dilationWidth, strideWidth)
  const window = <f64>(kernelHeight * kernelWidth)
  const pixels = <f64>(divideUp(height, strideHeight) * divideUp(width, strideWidth) + PANEL)
  const phases = strideHeight * strideWidth
  const apart: f64 = phases > 1 ? <f64>inputs * pixels : 0.0
  const tables = <f64>outputs * window + <f64>phases * <f64>PANEL + pixels
  const turned = <f64>inputs * <f64>outputs * window
  return 4.0 * (<f64>(FIXED + 64) + tables + <f64>outputs * <f64>high * <f64>wide + apart + turned)
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
