import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, lastLength, replaceAt, rowsOf } from './axis.ts'
import { add, multiply, oneMinus } from './binary.ts'
import { launch, TRANSCENDENTAL_FLOPS } from './launch.ts'
import { concat, split } from './slice.ts'
import { square, unary } from './unary.ts'

export interface CellState<A extends Axes> {
  readonly hidden: Tensor<A>
  readonly cell: Tensor<A>
}

const expectGates = (gates: Tensor, cell: Tensor): void =>
  expectShape('lstmCell gates', gates.shape, replaceAt(cell.shape, cell.shape.length - 1, 4 * lastLength(cell)))

/** σ(i), σ(f), tanh(g), σ(o), the new cell and its tanh. */
const parts = (gates: Tensor, cell: Tensor) => {
  const width = lastLength(cell)
  const [a, b, c, d] = split(gates, -1, [width, width, width, width])
  const [input, forget, candidate, output] = [
    unary('sigmoid', a),
    unary('sigmoid', b),
    unary('tanh', c),
    unary('sigmoid', d),
  ]
  const next = add(multiply(forget, cell), multiply(input, candidate))
  return { input, forget, candidate, output, next, bounded: unary('tanh', next) }
}

/**
 * The elementwise half of an LSTM step: c' = σ(f) c + σ(i) tanh(g) and h' = σ(o) tanh(c'), gates (…, 4 width) in the order i, f, g, o of
 * PyTorch, cell (…, width). Source: Hochreiter & Schmidhuber, Neural Computation 9 (1997), with the forget gate of Gers et al. (2000). Law L9.
 */
export const lstmCell = <A extends Axes>(gates: Tensor, cell: Tensor<A>): CellState<A> => {
  expectGates(gates, cell)
  const override = cell.engine.fused.lstmCell
  if (override === undefined)
    return scope(() => {
      const { output, next, bounded } = parts(gates, cell)
      return { hidden: multiply(output, bounded).share<A>(), cell: next.share<A>() }
    })
  const [hidden, next] = [empty<A>(cell.engine, cell.shape), empty<A>(cell.engine, cell.shape)]
  launch(cell.engine, 5 * TRANSCENDENTAL_FLOPS * cell.size, gates, cell, hidden, next)
  override(hidden.storage, next.storage, gates.storage, cell.storage, rowsOf(cell))
  return { hidden, cell: next }
}

/** Both cotangents of the new state to those of gates and cell: dc' = dcell + dhidden σ(o) (1 - tanh² c') flows on through each gate's slope. */
export const lstmCellPullback = <A extends Axes>(
  dHidden: Tensor<A>,
  dCell: Tensor<A>,
  gates: Tensor,
  cell: Tensor<A>,
): { readonly dGates: Tensor; readonly dCell: Tensor<A> } => {
  expectGates(gates, cell)
  for (const d of [dHidden, dCell]) expectShape('lstmCellPullback', d.shape, cell.shape)
  const override = cell.engine.fused.lstmCellPullback
  if (override === undefined)
    return scope(() => {
      const { input, forget, candidate, output, bounded } = parts(gates, cell)
      const slope = (gate: Tensor): Tensor => multiply(gate, oneMinus(gate))
      const through = add(dCell, multiply(multiply(dHidden, output), oneMinus(square(bounded))))
      const dGates = concat(
        [
          multiply(multiply(through, candidate), slope(input)),
          multiply(multiply(through, cell), slope(forget)),
          multiply(multiply(through, input), oneMinus(square(candidate))),
          multiply(multiply(dHidden, bounded), slope(output)),
        ],
        -1,
      )
      return { dGates, dCell: multiply(through, forget) }
    })
  const [dGates, d] = [empty(cell.engine, gates.shape), empty<A>(cell.engine, cell.shape)]
  launch(cell.engine, 6 * TRANSCENDENTAL_FLOPS * cell.size, dHidden, dCell, gates, cell, dGates, d)
  override(dGates.storage, d.storage, dHidden.storage, dCell.storage, gates.storage, cell.storage, rowsOf(cell))
  return { dGates, dCell: d }
}
