import { gradientsOf, parameter, zerosInit } from '../../src/context.ts'
import { add } from '../../src/kernel/binary.ts'
import {
  channelSum,
  convolution,
  convolutionInputGradient,
  convolutionWeightGradient,
} from '../../src/kernel/convolution.ts'
import { type Pair, pairOf } from '../../src/kernel/window.ts'
import type { Operator } from '../../src/operator.ts'
import { type Convolution2dOptions, fanInInit } from './convolution2d.ts'
import type { Planes } from './planes.ts'

export interface TransposedConvolution2dOptions extends Convolution2dOptions {
  /** Rows and columns added at the end, less than the stride: of all lengths that a convolution makes one, which to return to. 0. */
  readonly outputPadding?: Pair
}

/**
 * The adjoint of `convolution2d` with the same weight, plus a bias: each length becomes (length - 1) stride - 2 padding + dilation (kernel - 1) +
 * outputPadding + 1. weight (channels, outputs / groups, height, width) as PyTorch's ConvTranspose2d. Laws D3-D5.
 */
export const transposedConvolution2d = (options: TransposedConvolution2dOptions): Operator<Planes, Planes> => {
  const { name, outputs, bias = true, init, outputPadding = 0, kernel, ...window } = options
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = window
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  const [sizes, steps, around, apart, more] = [kernel, stride, padding, dilation, outputPadding].map(pairOf)
  const lengthOf = (length: number, axis: 0 | 1): number =>
    (length - 1) * steps[axis] - 2 * around[axis] + apart[axis] * (sizes[axis] - 1) + more[axis] + 1
  return (c, x) => {
    const [, channels, height, width] = x.shape
    const first = init ?? fanInInit((channels / groups) * sizes[0] * sizes[1])
    const weight = parameter(c, weightName, [channels, outputs / groups, ...sizes], first)
    const offset = bias ? parameter(c, biasName, [outputs], zerosInit) : null
    const y = convolutionInputGradient(x, weight, [lengthOf(height, 0), lengthOf(width, 1)], window)
    return {
      value: offset === null ? y : add(y, offset.share([outputs, 1, 1])),
      state: {},
      saved: [x],
      pullback: dy => {
        const dWeight = convolutionWeightGradient(x, dy, sizes, window)
        const gradients = gradientsOf(c, [weightName, dWeight], [biasName, bias ? channelSum(dy) : null])
        return [gradients, convolution(dy, weight, null, window)]
      },
    }
  }
}
