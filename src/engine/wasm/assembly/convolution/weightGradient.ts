/** The gradient of a convolution's weight as implicit GEMM: one chain over pixels and images, in ascending order. */
import { INNER, Y_COLUMNS } from '../gemm'
import { rowBlocks } from '../rowBlocks'
import { PANEL, SPARE } from '../tile'
import { spanOf } from './convolution'
import { border, FIXED, packTaps, panelsOf, pixelTable, tapTable } from './patches'

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
        for (let column = from; column < to; column += Y_COLUMNS) {
          const count = min(Y_COLUMNS, to - column)
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
