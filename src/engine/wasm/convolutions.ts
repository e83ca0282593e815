/** Convolution, its gradients and pools over the compiled kernels. */

import type { Fused } from '../fused.ts'
import type { ConvolutionSizes, PoolSizes } from '../window.ts'
import type { Kernels } from './binary.generated.ts'
import { FLOAT, PANEL } from './costs.ts'
import { LINE } from './heap.ts'
import type { Memory } from './memory.ts'
import { addresses } from './storage.ts'

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

/** The forms of tiles (assembly/winograd/forms.ts): a stride of 1, one of 2, and the gradient of its input. */
const [PLAIN, HALVED, DOUBLED] = [0, 1, 2] as const
type Form = typeof PLAIN | typeof HALVED | typeof DOUBLED
/** Products a tile. */
const POINTS = [36, 25, 25] as const
/** Matrices (outputs, inputs) a point. */
const PHASES = [1, 4, 4] as const

/** Elements of a plane that cost as much one by one as a tile, of 16 at most or 64, with its transforms. */
const TILE = [6, 10, 40] as const

const tilesOf = (height: number, width: number): number => Math.ceil(height / 4) * Math.ceil(width / 4)

/** The form of tiles by which planes of these sizes go, or none: a matter of shapes, but not of the batch. */
const formOf = (s: ConvolutionSizes): Form | null => {
  const strides = Math.max(s.strideHeight, s.strideWidth)
  if (s.kernelHeight !== 3 || s.kernelWidth !== 3 || Math.max(s.dilationHeight, s.dilationWidth) > 1) return null
  if (s.outputs % 4 > 0 || s.inputs % (4 * strides) > 0) return null
  if (strides === 1) return Math.max(s.paddingHeight, s.paddingWidth) <= 2 ? PLAIN : null
  const padded = Math.min(s.paddingHeight, s.paddingWidth) === 1 && Math.max(s.paddingHeight, s.paddingWidth) === 1
  return padded && s.strideHeight === 2 && s.strideWidth === 2 ? HALVED : null
}

/** Addresses are taken before scratch memory: a matrix that has to be put in order takes some. */
export const convolutions = (memory: Memory, kernels: Kernels): Convolutions => {
  const { at, addressOrNone } = addresses(memory)
  /** Scratch memory of all but the input gradient. */
  const scratch = (s: ConvolutionSizes): number =>
    memory.scratch(
      kernels.convolutionScratch(
        ...([s.inputs, s.outHeight, s.outWidth, s.kernelHeight, s.kernelWidth] as const),
        ...([s.strideHeight, s.strideWidth, s.dilationHeight, s.dilationWidth] as const),
      ),
    )
  /** Whether tiles, in whole quads, pay for a plane (height, width). */
  const pays = (form: Form, height: number, width: number): boolean =>
    height * width > TILE[form] * 4 * kernels.winogradQuads(form, height, width)
  /** y (…, outputs, …) from x (…, inputs, …), `turned`: the gradient of the input, with what its names then mean. */
  const tiles = (
    form: Form,
    y: number,
    x: number,
    weight: number,
    bias: number,
    s: ConvolutionSizes,
    turned: boolean,
  ): void => {
    const { batch, groups } = s
    const [inputs, outputs] = turned ? [s.outputs, s.inputs] : [s.inputs, s.outputs]
    const [height, width] = turned ? [s.outHeight, s.outWidth] : [s.height, s.width]
    const [outHeight, outWidth] = turned ? [s.height, s.width] : [s.outHeight, s.outWidth]
    const reach = form === DOUBLED ? 0 : 2
    const [top, left] = turned
      ? [Math.max(0, reach - s.paddingHeight), Math.max(0, reach - s.paddingWidth)]
      : [s.paddingHeight, s.paddingWidth]
    const matrix = PHASES[form] * inputs * outputs * FLOAT + LINE
    const bytes = Math.ceil((POINTS[form] * groups * matrix) / LINE) * LINE
    const points = memory.scratch(bytes + kernels.winogradScratch(form, inputs, outputs, outHeight, outWidth))
    const rest = points + bytes
    kernels.winogradWeights(form, points, weight, outputs, inputs, Number(turned), 0, groups * outputs, rest)
    const end = batch * kernels.winogradQuads(form, outHeight, outWidth)
    const sizes = [groups, inputs, outputs, height, width, outHeight, outWidth, top, left] as const
    kernels.winograd(form, y, x, points, bias, ...sizes, 0, end, rest)
  }
  return {
    convolution: (y, x, weight, bias, s) => {
      const form = formOf(s)
      if (form !== null && pays(form, s.outHeight, s.outWidth))
        return tiles(form, at(y), at(x), at(weight), addressOrNone(bias), s, false)
      const end = s.batch * panels(s.outHeight * s.outWidth)
      const [to, from, taps, offset] = [at(y), at(x), at(weight), addressOrNone(bias)]
      kernels.convolution(to, from, taps, offset, ...shape(s), ...steps(s), 0, end, scratch(s))
    },
    convolutionInputGradient: (dx, dy, weight, s) => {
      const form = formOf(s) === HALVED ? DOUBLED : formOf(s)
      if (form !== null && pays(form, s.height, s.width)) return tiles(form, at(dx), at(dy), at(weight), 0, s, true)
      const end = s.batch * kernels.convolutionInputGradientPanels(s.height, s.width, s.strideHeight, s.strideWidth)
      if (end === 0) return
      const [, ...sizes] = shape(s)
      const [to, from, taps] = [at(dx), at(dy), at(weight)]
      const rest = memory.scratch(kernels.convolutionInputGradientScratch(...sizes, ...steps(s)))
      kernels.convolutionInputGradient(to, from, taps, ...shape(s), ...steps(s), 0, end, rest)
    },
    convolutionWeightGradient: (dWeight, dy, x, s) => {
      const form = formOf(s)
      const { batch, groups, inputs, outputs, height, width, outHeight, outWidth } = s
      if (batch > 0 && form !== null && outHeight * outWidth > TILE[form] * tilesOf(outHeight, outWidth)) {
        const bytes = kernels.winogradWeightGradientScratch(form, inputs, outputs, outHeight, outWidth)
        const sizes = [batch, groups, inputs, outputs, height, width, outHeight, outWidth] as const
        const around = [s.paddingHeight, s.paddingWidth] as const
        const end = groups * panels(inputs)
        if (end === 0) return
        const [to, left, right] = [at(dWeight), at(dy), at(x)]
        kernels.winogradWeightGradient(form, to, left, right, ...sizes, ...around, 0, end, memory.scratch(bytes))
        return
      }
      const end = s.groups * panels(s.inputs * s.kernelHeight * s.kernelWidth)
      if (end === 0) return
      const [to, left, right] = [at(dWeight), at(dy), at(x)]
      kernels.convolutionWeightGradient(to, left, right, s.batch, ...shape(s), ...steps(s), 0, end, scratch(s))
    },
    maxPool: (y, x, s) => kernels.maxPool(at(y), at(x), ...pool(s)),
    maxPoolPullback: (dx, dy, x, s) => kernels.maxPoolPullback(at(dx), at(dy), at(x), ...pool(s)),
    sumPool: (y, x, factor, s) => kernels.sumPool(at(y), at(x), factor, ...pool(s)),
    spread: (dx, dy, factor, s) => kernels.spread(at(dx), at(dy), factor, ...pool(s)),
  }
}
