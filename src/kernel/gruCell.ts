import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, lastLength, replaceAt, rowsOf } from './axis.ts'
import { add, multiply, oneMinus, subtract } from './binary.ts'
import { launch, TRANSCENDENTAL_FLOPS } from './launch.ts'
import { concat, split } from './slice.ts'
import { square, unary } from './unary.ts'

const expectGates = (fromInput: Tensor, fromHidden: Tensor, hidden: Tensor): void => {
  const shape = replaceAt(hidden.shape, hidden.shape.length - 1, 3 * lastLength(hidden))
  for (const gates of [fromInput, fromHidden]) expectShape('gruCell gates', gates.shape, shape)
}

/** σ(r), σ(z), the candidate, and the hidden state's part of it. */
const parts = (fromInput: Tensor, fromHidden: Tensor, hidden: Tensor) => {
  const width = lastLength(hidden)
  const thirds = [width, width, width]
  const [xr, xz, xn] = split(fromInput, -1, thirds)
  const [hr, hz, own] = split(fromHidden, -1, thirds)
  const reset = unary('sigmoid', add(xr, hr))
  return { reset, update: unary('sigmoid', add(xz, hz)), candidate: unary('tanh', add(xn, multiply(reset, own))), own }
}

/**
 * The elementwise half of a GRU step: h' = (1 - z) n + z h with r = σ(xᵣ + hᵣ), z = σ(x_z + h_z), n = tanh(xₙ + r hₙ), gates (…, 3 width) in
 * the order r, z, n of PyTorch, those from the input and those from the hidden state apart. Source: Cho et al., arXiv 1406.1078. Law L9.
 */
export const gruCell = <A extends Axes>(fromInput: Tensor, fromHidden: Tensor, hidden: Tensor<A>): Tensor<A> => {
  expectGates(fromInput, fromHidden, hidden)
  const override = hidden.engine.fused.gruCell
  if (override === undefined)
    return scope(() => {
      const { update, candidate } = parts(fromInput, fromHidden, hidden)
      return add(multiply(oneMinus(update), candidate), multiply(update, hidden)).share<A>()
    })
  const next = empty<A>(hidden.engine, hidden.shape)
  launch(hidden.engine, 3 * TRANSCENDENTAL_FLOPS * hidden.size, fromInput, fromHidden, hidden, next)
  override(next.storage, fromInput.storage, fromHidden.storage, hidden.storage, rowsOf(hidden))
  return next
}

export interface GruGradients<A extends Axes> {
  readonly dFromInput: Tensor
  readonly dFromHidden: Tensor
  readonly dHidden: Tensor<A>
}

export const gruCellPullback = <A extends Axes>(
  d: Tensor<A>,
  fromInput: Tensor,
  fromHidden: Tensor,
  hidden: Tensor<A>,
): GruGradients<A> => {
  expectGates(fromInput, fromHidden, hidden)
  expectShape('gruCellPullback', d.shape, hidden.shape)
  const override = hidden.engine.fused.gruCellPullback
  if (override === undefined)
    return scope(() => {
      const { reset, update, candidate, own } = parts(fromInput, fromHidden, hidden)
      const slope = (gate: Tensor): Tensor => multiply(gate, oneMinus(gate))
      const dCandidate = multiply(multiply(d, oneMinus(update)), oneMinus(square(candidate)))
      const dReset = multiply(multiply(dCandidate, own), slope(reset))
      const dUpdate = multiply(multiply(d, subtract(hidden, candidate)), slope(update))
      return {
        dFromInput: concat([dReset, dUpdate, dCandidate], -1),
        dFromHidden: concat([dReset, dUpdate, multiply(dCandidate, reset)], -1),
        dHidden: multiply(d, update),
      }
    })
  const { engine } = hidden
  const [dFromInput, dFromHidden] = [empty(engine, fromInput.shape), empty(engine, fromHidden.shape)]
  const dHidden = empty<A>(engine, hidden.shape)
  launch(
    engine,
    4 * TRANSCENDENTAL_FLOPS * hidden.size,
    d,
    fromInput,
    fromHidden,
    hidden,
    dFromInput,
    dFromHidden,
    dHidden,
  )
  override(
    dFromInput.storage,
    dFromHidden.storage,
    dHidden.storage,
    d.storage,
    fromInput.storage,
    fromHidden.storage,
    hidden.storage,
    rowsOf(hidden),
  )
  return { dFromInput, dFromHidden, dHidden }
}
