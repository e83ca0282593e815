import { gradientsOf, parameter } from '../../src/context.ts'
import { add } from '../../src/kernel/binary.ts'
import { gruCell as cellKernel, gruCellPullback } from '../../src/kernel/gruCell.ts'
import { linear, linearPullback } from '../../src/kernel/linear.ts'
import type { Operator } from '../../src/operator.ts'
import { type CellOptions, cellInit, type Features } from './lstmCell.ts'

/**
 * One step of a GRU: (x, h) -> h' with gates W_ih x + b_ih and W_hh h + b_hh, parameters `weight_ih` (3 width, inputs), `weight_hh`, `bias_ih` and
 * `bias_hh` in PyTorch's order r, z, n. Laws D3, D4, L9.
 */
export const gruCell = ({ width, suffix = '' }: CellOptions) => {
  const names = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map(name => `${name}${suffix}`)
  const [ofInput, ofHidden, biasOfInput, biasOfHidden] = names
  const operator: Operator<readonly [Features, Features], Features> = (c, [x, h]) => {
    const init = cellInit(width)
    const [w, u] = [
      parameter(c, ofInput, [3 * width, x.shape[1]], init),
      parameter(c, ofHidden, [3 * width, width], init),
    ]
    const [a, b] = [parameter(c, biasOfInput, [3 * width], init), parameter(c, biasOfHidden, [3 * width], init)]
    const [fromInput, fromHidden] = [linear(x, w, a, true), linear(h, u, b, true)]
    return {
      value: cellKernel(fromInput, fromHidden, h),
      state: {},
      saved: [x, h, fromInput, fromHidden],
      pullback: d => {
        const { dFromInput, dFromHidden, dHidden } = gruCellPullback(d, fromInput, fromHidden, h)
        const [dx, dh] = [linearPullback(dFromInput, x, w, true, true), linearPullback(dFromHidden, h, u, true, true)]
        const gradients = gradientsOf(
          c,
          [ofInput, dx.dWeight],
          [ofHidden, dh.dWeight],
          [biasOfInput, dx.dBias],
          [biasOfHidden, dh.dBias],
        )
        return [gradients, [dx.dx, add(dHidden, dh.dx)]]
      },
    }
  }
  return operator
}
