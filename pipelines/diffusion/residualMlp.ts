import { gelu } from '../../operators/activation.ts'
import type { DiffusionModel } from '../../operators/diffusion/denoiser.ts'
import { linear } from '../../operators/linear.ts'
import { add, parallel, residual, sequence, stack } from '../../src/compose.ts'
import { normalInit } from '../../src/context.ts'
import type { Operator } from '../../src/operator.ts'
import { scoped } from '../../src/scoped.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Times } from '../../src/tensor/times.ts'

export interface ResidualMlpOptions {
  /** Numbers a sample. */
  readonly dimensions: number
  readonly width: number
  readonly depth: number
}

type Points = Tensor<readonly ['batch', 'dimension']>
type Column = Tensor<readonly ['batch', 'time']>
type Features = Tensor<readonly ['batch', 'width']>
type Hidden = Tensor<readonly ['batch', 'hidden']>

/** The spread of PyTorch's linear layers, uniform in ±1/√inputs, as a deviation; of biases too, or all kinks would start in one point. */
const initOf = (inputs: number) => normalInit(1 / Math.sqrt(3 * inputs))

/** The times as a column beside the samples: (batch, 1). */
const column: Operator<readonly [Points, Times], readonly [Points, Column]> = (_, [x, { times }]) => ({
  value: [x, tensor(x.engine, [times.length, 1], times)],
  state: {},
  saved: [],
  pullback: ([dx]) => [{}, [dx, null]],
})

/**
 * A network for points: out(blocks(in(x) + time(t))), each block x + W' gelu(W x) four times as wide inside. With 3 blocks of 128 the network of Cheng & Schwing,
 * arXiv 2503.10636, for 8 gaussians to moons.
 */
export const residualMlp = ({
  dimensions,
  width,
  depth,
}: ResidualMlpOptions): DiffusionModel<readonly ['batch', 'dimension']> => {
  const layer = <From extends string, To extends string>(
    name: string,
    from: From,
    to: To,
    inputs: number,
    outputs: number,
  ) =>
    linear({
      name,
      from,
      to,
      width: outputs,
      bias: true,
      layout: 'torch',
      init: initOf(inputs),
      biasInit: initOf(inputs),
    })
  const input: Operator<Points, Features> = layer('input', 'dimension', 'width', dimensions, width)
  const time: Operator<Column, Features> = layer('time', 'time', 'width', 1, width)
  const up: Operator<Features, Hidden> = layer('up', 'width', 'hidden', width, 4 * width)
  const down: Operator<Hidden, Features> = layer('down', 'hidden', 'width', 4 * width, width)
  const output: Operator<Features, Points> = layer('output', 'width', 'dimension', width, dimensions)
  const block = residual(sequence<Features, Hidden, Hidden, Features>(up, gelu, down))
  const blocks = stack(Array.from({ length: depth }, (_, i) => scoped(`blocks.${i}`, block)))
  return sequence(column, parallel(input, time), add<Features>(), blocks, output)
}
