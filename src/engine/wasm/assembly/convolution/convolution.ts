/**
 * Convolution over planes as implicit GEMM. Per output one chain over taps, in ascending order, whatever columns a call is given: an image's
 * numbers depend neither on its batch nor on threads. Work is counted in panels: 8 columns of one image.
 */
import { PANEL, SPARE } from '../tile'
import { border, FIXED, panelsOf, patchProduct, pixelTable, tapTable } from './patches'

@inline
export function spanOf(positions: i32, stride: i32, kernel: i32, dilation: i32): i32 {
  return (positions - 1) * stride + (kernel - 1) * dilation + 1
}

/** Bytes of scratch memory of `convolution` and `convolutionWeightGradient`: of large borders more than 32 bits count. */
export function convolutionScratch(
  inputs: i32, outHeight: i32, outWidth: i32, kernelHeight: i32, kernelWidth: i32,
  strideHeight: i32, strideWidth: i32, dilationHeight: i32, dilationWidth: i32,
): f64 {
  const high = spanOf(outHeight, strideHeight, kernelHeight, dilationHeight)
  const wide = spanOf(outWidth, strideWidth, kernelWidth, dilationWidth)
  const tables = <f64>inputs * <f64>(kernelHeight * kernelWidth) + <f64>(outHeight * outWidth + 2 * PANEL)
  return 4.0 * (<f64>(FIXED + 64) + tables + <f64>inputs * <f64>(high * wide))
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
