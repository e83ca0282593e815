import { gradientsOf, type Initializer, normalInit, parameter } from '../../src/context.ts'
import { add } from '../../src/kernel/binary.ts'
import { linear, linearPullback } from '../../src/kernel/linear.ts'
import { lstmCell as cellKernel, lstmCellPullback } from '../../src/kernel/lstmCell.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

/** One vector a sequence. */
export type Features = Tensor<readonly ['batch', 'width']>

export interface CellOptions {
  /** Numbers of the hidden state. */
  readonly width: number
  /** Behind each parameter's name: '' as PyTorch's cells, `_l0` and `_l0_reverse` as the layers of its LSTM and GRU. */
  readonly suffix?: string
}

/** Variance 1 / (3 width), that of PyTorch's uniform start. */
export const cellInit = (width: number): Initializer => normalInit(1 / Math.sqrt(3 * width))

/**
 * One step of an LSTM: (x, h, c) -> (h', c') with gates W_ih x + b_ih + W_hh h + b_hh, parameters `weight_ih` (4 width, inputs), `weight_hh`,
 * `bias_ih` and `bias_hh` in PyTorch's order i, f, g, o. Laws D3, D4, L9.
 */
export const lstmCell = ({ width, suffix = '' }: CellOptions) => {
  const names = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map(name => `${name}${suffix}`)
  const [ofInput, ofHidden, biasOfInput, biasOfHidden] = names
  const operator: Operator<readonly [Features, Features, Features], readonly [Features, Features]> = (
    c,
    [x, h, cell],
  ) => {
    const init = cellInit(width)
    const [w, u] = [
      parameter(c, ofInput, [4 * width, x.shape[1]], init),
      parameter(c, ofHidden, [4 * width, width], init),
    ]
    const [a, b] = [parameter(c, biasOfInput, [4 * width], init), parameter(c, biasOfHidden, [4 * width], init)]
    const gates = scope(() => add(linear<readonly ['batch', 'gate']>(x, w, a, true), linear(h, u, b, true)))
    const next = cellKernel(gates, cell)
    return {
      value: [next.hidden, next.cell],
      state: {},
      saved: [x, h, cell, gates],
      pullback: ([dHidden, dNext]) => {
        const { dGates, dCell } = lstmCellPullback(dHidden, dNext, gates, cell)
        const [dx, dh] = [linearPullback(dGates, x, w, true, true), linearPullback(dGates, h, u, true, true)]
        const gradients = gradientsOf(
          c,
          [ofInput, dx.dWeight],
          [ofHidden, dh.dWeight],
          [biasOfInput, dx.dBias],
          [biasOfHidden, dh.dBias],
        )
        return [gradients, [dx.dx, dh.dx, dCell]]
      },
    }
  }
  return operator
}
