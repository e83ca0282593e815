/** Convolution, its gradients and pools over the compiled kernels. */
import type { ConvolutionSizes, Fused, PoolSizes } from '../engine.ts'
import type { Kernels } from './binary.generated.ts'
import { FLOAT, PANEL } from './costs.ts'
import { LINE } from './heap.ts'
import type { Memory } from './memory.ts'
import { addressOrNone, addressOf as at } from './storage.ts'

type Convolutions = Pick<
  Fused,
  | 'convolution'
  | 'convolutionInputGradient'
  | 'convolutionWeightGradient'
  | 'maxPool'
  | 'maxPoolPullback'
  | 'sumPool'
  | 'spread'
>

const panels = (columns: number): number => Math.ceil(columns / PANEL)

type Numbers<N extends number, T extends number[] = []> = T['length'] extends N ? T : Numbers<N, [...T, number]>

const shape = (s: ConvolutionSizes): Numbers<9> => [
  ...([s.groups, s.inputs, s.outputs, s.height, s.width, s.outHeight, s.outWidth] as const),
  ...([s.kernelHeight, s.kernelWidth] as const),
]
const steps = (s: ConvolutionSizes): Numbers<6> => [
  ...([s.strideHeight, s.strideWidth, s.paddingHeight, s.paddingWidth, s.dilationHeight, s.dilationWidth] as const),
]
const pool = (s: PoolSizes): Numbers<11> => [
  ...([s.planes, s.height, s.width, s.outHeight, s.outWidth, s.kernelHeight, s.kernelWidth] as const),
  ...([s.strideHeight, s.strideWidth, s.paddingHeight, s.paddingWidth] as const),
]

/** Channels from which on the transforms of tiles cost little beside their products. */
const MANY = 16
/** Elements of a plane that cost as much one by one as a tile, of 16 at most, with its transforms. */
const TILE = 6

const tilesOf = (height: number, width: number): number => Math.ceil(height / 4) * Math.ceil(width / 4)

/** Whether a plane (height, width) of these sizes goes by `tiles` (assembly/winograd.ts): a matter of its shape, but not of its batch. */
const byTiles = (s: ConvolutionSizes, height: number, width: number, tiles: number): boolean =>
  s.kernelHeight === 3 &&
  s.kernelWidth === 3 &&
  Math.max(s.strideHeight, s.strideWidth, s.dilationHeight, s.dilationWidth) === 1 &&
  Math.max(s.paddingHeight, s.paddingWidth) <= 2 &&
  Math.min(s.inputs, s.outputs) >= MANY &&
  s.inputs % 4 === 0 &&
  s.outputs % 4 === 0 &&
  height * width > TILE * tiles

export const convolutions = (memory: Memory, kernels: Kernels): Convolutions => {
  /** Scratch memory of all but the input gradient. */
  const scratch = (s: ConvolutionSizes): number =>
    memory.scratch(
      kernels.convolutionScratch(
        ...([s.inputs, s.outHeight, s.outWidth, s.kernelHeight, s.kernelWidth] as const),
        ...([s.strideHeight, s.strideWidth, s.dilationHeight, s.dilationWidth] as const),
      ) >>> 0,
    )
  /** Tiles of a plane (height, width), in whole quads. */
  const quadsOf = (height: number, width: number): number => 4 * kernels.winogradQuads(height, width)
  /** y (…, outputs, …) from x (…, inputs, …), `turned`: the gradient of the input, with what its names then mean. */
  const tiles = (y: number, x: number, weight: number, bias: number, s: ConvolutionSizes, turned: boolean): void => {
    const { batch, groups } = s
    const [inputs, outputs] = turned ? [s.outputs, s.inputs] : [s.inputs, s.outputs]
    const [height, width] = turned ? [s.outHeight, s.outWidth] : [s.height, s.width]
    const [outHeight, outWidth] = turned ? [s.height, s.width] : [s.outHeight, s.outWidth]
    const [top, left] = turned ? [2 - s.paddingHeight, 2 - s.paddingWidth] : [s.paddingHeight, s.paddingWidth]
    const bytes = Math.ceil((36 * groups * (inputs * outputs * FLOAT + LINE)) / LINE) * LINE
    const points = memory.scratch(bytes + (kernels.winogradScratch(inputs, outputs, outHeight, outWidth) >>> 0))
    const rest = points + bytes
    kernels.winogradWeights(points, weight, outputs, inputs, Number(turned), 0, groups * outputs, rest)
    const end = batch * kernels.winogradQuads(outHeight, outWidth)
    const sizes = [groups, inputs, outputs, height, width, outHeight, outWidth, top, left] as const
    kernels.winograd(y, x, points, bias, ...sizes, 0, end, rest)
  }
  return {
    convolution: (y, x, weight, bias, s) => {
      if (byTiles(s, s.outHeight, s.outWidth, quadsOf(s.outHeight, s.outWidth)))
        return tiles(at(y), at(x), at(weight), addressOrNone(bias), s, false)
      const end = s.batch * panels(s.outHeight * s.outWidth)
      const to = scratch(s)
      kernels.convolution(at(y), at(x), at(weight), addressOrNone(bias), ...shape(s), ...steps(s), 0, end, to)
    },
    convolutionInputGradient: (dx, dy, weight, s) => {
      if (byTiles(s, s.height, s.width, quadsOf(s.height, s.width)))
        return tiles(at(dx), at(dy), at(weight), 0, s, true)
      const end = s.batch * kernels.convolutionInputGradientPanels(s.height, s.width, s.strideHeight, s.strideWidth)
      const [, ...sizes] = shape(s)
      const to = memory.scratch(kernels.convolutionInputGradientScratch(...sizes, ...steps(s)) >>> 0)
      kernels.convolutionInputGradient(at(dx), at(dy), at(weight), ...shape(s), ...steps(s), 0, end, to)
    },
    convolutionWeightGradient: (dWeight, dy, x, s) => {
      if (s.batch > 0 && byTiles(s, s.outHeight, s.outWidth, tilesOf(s.outHeight, s.outWidth))) {
        const { batch, groups, inputs, outputs, height, width, outHeight, outWidth } = s
        const to = memory.scratch(kernels.winogradWeightGradientScratch(inputs, outputs, outHeight, outWidth) >>> 0)
        const sizes = [batch, groups, inputs, outputs, height, width, outHeight, outWidth] as const
        const end = (groups * outputs) / 4
        kernels.winogradWeightGradient(
          at(dWeight),
          at(dy),
          at(x),
          ...sizes,
          s.paddingHeight,
          s.paddingWidth,
          0,
          end,
          to,
        )
        return
      }
      const end = s.groups * panels(s.inputs * s.kernelHeight * s.kernelWidth)
      const to = scratch(s)
      kernels.convolutionWeightGradient(at(dWeight), at(dy), at(x), s.batch, ...shape(s), ...steps(s), 0, end, to)
    },
    maxPool: (y, x, s) => kernels.maxPool(at(y), at(x), ...pool(s)),
    maxPoolPullback: (dx, dy, x, s) => kernels.maxPoolPullback(at(dx), at(dy), at(x), ...pool(s)),
    sumPool: (y, x, factor, s) => kernels.sumPool(at(y), at(x), factor, ...pool(s)),
    spread: (dx, dy, factor, s) => kernels.spread(at(dx), at(dy), factor, ...pool(s)),
  }
}
