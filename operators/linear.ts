import {
  type Context,
  gradientsOf,
  type Initializer,
  normalInit,
  parameter,
  pathOf,
  weight as weightOf,
  zerosInit,
} from '../src/context.ts'
import { lastLength } from '../src/kernel/axis.ts'
import { linear as linearKernel, linearPullback } from '../src/kernel/linear.ts'
import type { Pulled } from '../src/operator.ts'
import { trainable } from '../src/tensor/quantizedMatrix.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

export interface LinearOptions<From extends string, To extends string> {
  /** Parameters are `<name>.weight` and `<name>.bias`. */
  readonly name: string
  /** Names of the last axis before and after. */
  readonly from: From
  readonly to: To
  /** Length of the axis `to`. */
  readonly width: number
  readonly bias: boolean
  /** How the weight is stored: `conv1d` (inputs, outputs) as GPT-2 does, `torch` (outputs, inputs) as PyTorch's Linear. */
  readonly layout: 'conv1d' | 'torch'
  /** Deviation 0.02 (GPT-2) unless given. */
  readonly init?: Initializer
  /** Zero unless given. */
  readonly biasInit?: Initializer
}

export const GPT2_DEVIATION = 0.02

/** y = x W + b along the last axis: (…, from) -> (…, to). Laws D4, D5, D8. */
export const linear = <From extends string, To extends string>({
  name,
  width,
  bias,
  layout,
  init = normalInit(GPT2_DEVIATION),
  biasInit = zerosInit,
}: LinearOptions<From, To>) => {
  const transposed = layout === 'torch'
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`]
  return <L extends Axes>(
    c: Context,
    x: Tensor<readonly [...L, From]>,
  ): Pulled<Tensor<readonly [...L, From]>, Tensor<readonly [...L, To]>> => {
    const inputs = lastLength(x)
    const weight = weightOf(c, weightName, transposed ? [width, inputs] : [inputs, width], init)
    const offset = bias ? parameter(c, biasName, [width], biasInit) : null
    return {
      value: linearKernel<readonly [...L, To]>(x, weight, offset, transposed),
      state: {},
      saved: [x],
      pullback: dy => {
        const matrix = trainable(weight, pathOf(c, weightName))
        const { dx, dWeight, dBias } = linearPullback(dy, x, matrix, bias, transposed)
        return [gradientsOf(c, [weightName, dWeight], [biasName, dBias]), dx]
      },
    }
  }
}
