import { gradientsOf, type Initializer, normalInit, parameter, zerosInit } from '../../src/context.ts'
import {
  type ConvolutionOptions,
  channelSum,
  convolution,
  convolutionInputGradient,
  convolutionWeightGradient,
} from '../../src/kernel/convolution.ts'
import { type Pair, pairOf } from '../../src/kernel/window.ts'
import type { Operator } from '../../src/operator.ts'
import type { Planes } from './planes.ts'

export interface Convolution2dOptions extends ConvolutionOptions {
  /** Parameters are `<name>.weight` and `<name>.bias`. */
  readonly name: string
  /** Channels that come out. */
  readonly outputs: number
  /** The window's height and width. */
  readonly kernel: Pair
  /** True unless given. */
  readonly bias?: boolean
  /** Deviation 1 / √(3 inputs · kernel) unless given: the variance of PyTorch's uniform start. */
  readonly init?: Initializer
}

/** Variance 1 / (3 n) for n numbers that add up to one output. */
export const fanInInit = (n: number): Initializer => normalInit(1 / Math.sqrt(3 * n))

/**
 * Cross-correlation of (batch, channels, height, width) with weight (outputs, channels / groups, height, width), as PyTorch's Conv2d. Its adjoint is
 * `transposedConvolution2d`. Laws D3-D5.
 */
export const convolution2d = ({ name, outputs, bias = true, init, ...options }: Convolution2dOptions) => {
  const { kernel, ...window } = options
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  const [kernelHeight, kernelWidth] = pairOf(kernel)
  const operator: Operator<Planes, Planes> = (c, x) => {
    const [, channels, height, width] = x.shape
    const inputs = channels / (window.groups ?? 1)
    const first = init ?? fanInInit(inputs * kernelHeight * kernelWidth)
    const weight = parameter(c, weightName, [outputs, inputs, kernelHeight, kernelWidth], first)
    const offset = bias ? parameter(c, biasName, [outputs], zerosInit) : null
    return {
      value: convolution(x, weight, offset, window),
      state: {},
      saved: [x],
      pullback: dy => {
        const dWeight = convolutionWeightGradient(dy, x, [kernelHeight, kernelWidth], window)
        const dx = convolutionInputGradient(dy, weight, [height, width], window)
        return [gradientsOf(c, [weightName, dWeight], [biasName, bias ? channelSum(dy) : null]), dx]
      },
    }
  }
  return operator
}
