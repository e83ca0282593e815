/** Convolution, its gradients and pools over the compiled kernels. */
import type { ConvolutionSizes, Fused, PoolSizes } from '../engine.ts'
import type { Kernels } from './binary.generated.ts'
import { PANEL } from './costs.ts'
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

export const convolutions = (memory: Memory, kernels: Kernels): Convolutions => {
  /** Scratch memory of all but the input gradient. */
  const scratch = (s: ConvolutionSizes): number =>
    memory.scratch(
      kernels.convolutionScratch(
        ...([s.inputs, s.outHeight, s.outWidth, s.kernelHeight, s.kernelWidth] as const),
        ...([s.strideHeight, s.strideWidth, s.dilationHeight, s.dilationWidth] as const),
      ) >>> 0,
    )
  return {
    convolution: (y, x, weight, bias, s) => {
      const end = s.batch * panels(s.outHeight * s.outWidth)
      const to = scratch(s)
      kernels.convolution(at(y), at(x), at(weight), addressOrNone(bias), ...shape(s), ...steps(s), 0, end, to)
    },
    convolutionInputGradient: (dx, dy, weight, s) => {
      const end = s.batch * kernels.convolutionInputGradientPanels(s.height, s.width, s.strideHeight, s.strideWidth)
      const [, ...sizes] = shape(s)
      const to = memory.scratch(kernels.convolutionInputGradientScratch(...sizes, ...steps(s)) >>> 0)
      kernels.convolutionInputGradient(at(dx), at(dy), at(weight), ...shape(s), ...steps(s), 0, end, to)
    },
    convolutionWeightGradient: (dWeight, dy, x, s) => {
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
