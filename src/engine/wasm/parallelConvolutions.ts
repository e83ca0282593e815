/** Convolutions over threads, by panels of what they write, and pools by planes. */
import { type Kernels, kernelNames } from './binary.generated.ts'
import { COST, FLOAT, PANEL } from './costs.ts'
import type { Loaded } from './kernels.ts'
import { each } from './parallelProducts.ts'
import type { Threads } from './threads.ts'
import type { Kernel } from './worker.ts'

type Convolutions = Pick<
  Kernels,
  | 'convolution'
  | 'convolutionScratch'
  | 'convolutionInputGradient'
  | 'convolutionInputGradientPanels'
  | 'convolutionInputGradientScratch'
  | 'convolutionWeightGradient'
  | 'winograd'
  | 'winogradQuads'
  | 'winogradScratch'
  | 'winogradWeightGradient'
  | 'winogradWeightGradientScratch'
  | 'winogradWeights'
  | 'maxPool'
  | 'maxPoolPullback'
  | 'sumPool'
  | 'spread'
>

/** Shares a thread: each makes tables of its own. */
const SHARES = 2
/** Quads of a share at least: each reads all points of a weight. */
const QUADS = 8

/** Multiply-adds of four tiles for an input and an output, by form (assembly/winograd/forms.ts), the transforms included. */
const QUAD_PRODUCTS = [180, 405, 405]
/** Nanoseconds of a window's transform, and what each thread needs for it. */
const WEIGHT_COST = 12
const WEIGHT_SCRATCH = 1024

export const parallelConvolutions = (threads: Threads, { kernels, list }: Loaded): Convolutions => {
  /** A kernel whose last arguments are its first panel, the end and scratch memory, at `cost` nanoseconds a panel. */
  const overPanels = (
    name: 'convolution' | 'convolutionInputGradient' | 'convolutionWeightGradient',
    call: readonly number[],
    cost: number,
    bytes: number,
  ): void => {
    const [first, end, scratch] = call.slice(-3)
    if (!threads.splits(cost * (end - first), end - first, 1, SHARES)) {
      list[kernelNames.indexOf(name)](...call)
      return
    }
    threads.begin(name)
    for (const value of call.slice(0, -3)) threads.same(value)
    threads.first(first).end(first).scratch(scratch, bytes).run()
  }
  /** A kernel over planes: `sides` says of each address whether it moves by planes of x or of y. */
  const overPlanes = (name: 'maxPool' | 'maxPoolPullback' | 'sumPool' | 'spread', ...sides: ('x' | 'y')[]): Kernel => {
    const direct = list[kernelNames.indexOf(name)]
    const factors = name === 'sumPool' || name === 'spread' ? 1 : 0
    return (...call) => {
      const [planes, height, width, outHeight, outWidth, kernelHeight, kernelWidth] = call.slice(sides.length + factors)
      const cost = planes * (height * width + outHeight * outWidth * kernelHeight * kernelWidth) * COST.function
      if (!threads.splits(cost, planes, 1)) {
        direct(...call)
        return
      }
      threads.begin(name)
      sides.forEach((side, i) => {
        threads.moving(call[i], FLOAT * (side === 'x' ? height * width : outHeight * outWidth))
      })
      for (const value of call.slice(sides.length, sides.length + factors)) threads.same(value)
      threads.size()
      for (const value of call.slice(sides.length + factors + 1)) threads.same(value)
      threads.run()
    }
  }
  return {
    convolution: (...call) => {
      const [, , , , , inputs, outputs, , , outHeight, outWidth, kernelHeight, kernelWidth] = call
      const [strideHeight, strideWidth, , , dilationHeight, dilationWidth] = call.slice(13)
      const cost = call[4] * inputs * kernelHeight * kernelWidth * outputs * PANEL * COST.product
      const sizes = [inputs, outHeight, outWidth, kernelHeight, kernelWidth] as const
      const steps = [strideHeight, strideWidth, dilationHeight, dilationWidth] as const
      overPanels('convolution', call, cost, each(kernels.convolutionScratch(...sizes, ...steps)))
    },
    convolutionScratch: (...sizes) => threads.count * each(kernels.convolutionScratch(...sizes)),
    convolutionInputGradient: (...call) => {
      const [, , , groups, inputs, outputs, height, width, outHeight, outWidth, kernelHeight, kernelWidth] = call
      const [strideHeight, strideWidth, ...rest] = call.slice(12)
      const [paddingHeight, paddingWidth, dilationHeight, dilationWidth] = rest
      const taps = (kernelHeight * kernelWidth) / (strideHeight * strideWidth)
      const cost = groups * inputs * outputs * taps * PANEL * COST.product
      const bytes = each(
        kernels.convolutionInputGradientScratch(
          ...([inputs, outputs, height, width, outHeight, outWidth, kernelHeight, kernelWidth] as const),
          ...([strideHeight, strideWidth, paddingHeight, paddingWidth, dilationHeight, dilationWidth] as const),
        ),
      )
      overPanels('convolutionInputGradient', call, cost, bytes)
    },
    convolutionInputGradientPanels: kernels.convolutionInputGradientPanels,
    convolutionInputGradientScratch: (...sizes) =>
      threads.count * each(kernels.convolutionInputGradientScratch(...sizes)),
    convolutionWeightGradient: (...call) => {
      const [, , , batch, , inputs, outputs, , , outHeight, outWidth, kernelHeight, kernelWidth] = call
      const [strideHeight, strideWidth, , , dilationHeight, dilationWidth] = call.slice(13)
      const cost = batch * outHeight * outWidth * outputs * PANEL * COST.product
      const sizes = [inputs, outHeight, outWidth, kernelHeight, kernelWidth] as const
      const steps = [strideHeight, strideWidth, dilationHeight, dilationWidth] as const
      overPanels('convolutionWeightGradient', call, cost, each(kernels.convolutionScratch(...sizes, ...steps)))
    },
    winograd: (...call) => {
      const [form, , , , , groups, inputs, outputs, , , outHeight, outWidth] = call
      const [first, end, scratch] = call.slice(-3)
      const cost = (end - first) * QUAD_PRODUCTS[form] * groups * inputs * outputs * COST.product
      const shares = Math.max(1, Math.min(SHARES, Math.floor((end - first) / (threads.count * QUADS))))
      if (!threads.splits(cost, end - first, 1, shares)) {
        kernels.winograd(...call)
        return
      }
      threads.begin('winograd')
      for (const value of call.slice(0, -3)) threads.same(value)
      threads.first(first).end(first)
      threads.scratch(scratch, each(kernels.winogradScratch(form, inputs, outputs, outHeight, outWidth))).run()
    },
    winogradQuads: kernels.winogradQuads,
    winogradScratch: (...sizes) => threads.count * each(kernels.winogradScratch(...sizes)),
    winogradWeightGradient: (...call) => {
      const [form, , , , batch, , inputs, outputs, , , outHeight, outWidth] = call
      const [first, end, scratch] = call.slice(-3)
      const quads = (batch * Math.ceil(outHeight / 4) * Math.ceil(outWidth / 4)) / 4
      const cost = (end - first) * PANEL * quads * QUAD_PRODUCTS[form] * outputs * COST.product
      // Each share transforms all of dy.
      if (!threads.splits(cost, end - first, 1, 1)) {
        kernels.winogradWeightGradient(...call)
        return
      }
      threads.begin('winogradWeightGradient')
      for (const value of call.slice(0, -3)) threads.same(value)
      const bytes = each(kernels.winogradWeightGradientScratch(form, inputs, outputs, outHeight, outWidth))
      threads.first(first).end(first).scratch(scratch, bytes).run()
    },
    winogradWeightGradientScratch: (...sizes) => threads.count * each(kernels.winogradWeightGradientScratch(...sizes)),
    winogradWeights: (form, points, weight, rows, columns, turned, first, end, scratch) => {
      if (!threads.splits((end - first) * columns * WEIGHT_COST, end - first, 1))
        return kernels.winogradWeights(form, points, weight, rows, columns, turned, first, end, scratch)
      threads.begin('winogradWeights').same(form).same(points).same(weight).same(rows).same(columns).same(turned)
      threads.first(first).end(first).scratch(scratch, WEIGHT_SCRATCH).run()
    },
    maxPool: overPlanes('maxPool', 'y', 'x'),
    maxPoolPullback: overPlanes('maxPoolPullback', 'x', 'y', 'x'),
    sumPool: overPlanes('sumPool', 'y', 'x'),
    spread: overPlanes('spread', 'x', 'y'),
  }
}
