import type { CrossEntropySizes } from '../engine/fused.ts'
import { InputError, ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Tokens } from '../tensor/tokens.ts'
import { expectShape, rowsOf } from './axis.ts'
import { add, multiply, subtract } from './binary.ts'
import { launch } from './launch.ts'
import { max, sum } from './reduce.ts'
import { softmax } from './softmax.ts'
import { exp, log } from './unary.ts'

export interface CrossEntropyOptions {
  /** Positions with this target contribute nothing; PyTorch's default of -100. */
  readonly ignoreIndex?: number
  /** Share of the target mass spread evenly over all classes, in [0, 1) (Szegedy et al., arXiv 1512.00567). */
  readonly labelSmoothing?: number
}

export interface RowLosses {
  /** One loss a row, (rows); 0 where ignored. */
  readonly losses: Tensor
  readonly logSumExp: Tensor
}

/** Checks shapes and targets of a cross-entropy. */
export const crossEntropySizes = (logits: Tensor, targets: Tokens, options: CrossEntropyOptions): CrossEntropySizes => {
  const { rows, columns } = rowsOf(logits)
  const { ignoreIndex = -100, labelSmoothing = 0 } = options
  if (targets.ids.length !== rows)
    throw new ShapeError(`crossEntropy: ${rows} rows of logits, ${targets.ids.length} targets`)
  for (const id of targets.ids)
    if (id !== ignoreIndex && (id < 0 || id >= columns))
      throw new InputError(`target ${id} is not in the vocabulary of ${columns}`)
  return { rows, columns, targets: targets.ids, ignoreIndex, labelSmoothing }
}

/**
 * losses_i = log Σ_j exp(logits_ij) - Σ_j p_ij logits_ij, where p_i is the (smoothed) target distribution. Laws L7, L8.
 */
export const crossEntropy = (logits: Tensor, sizes: CrossEntropySizes): RowLosses => {
  const { engine } = logits
  const override = engine.fused.crossEntropy
  if (override === undefined) return derivedCrossEntropy(logits, sizes)
  const losses = empty(engine, [sizes.rows])
  const logSumExp = empty(engine, [sizes.rows])
  launch(engine, 5 * logits.size, logits, losses, logSumExp)
  override(losses.storage, logSumExp.storage, logits.storage, sizes)
  return { losses, logSumExp }
}

/** dLogits_ij = dLosses_i (softmax_ij - p_ij), zero in ignored rows. */
export const crossEntropyPullback = <A extends Axes>(
  dLosses: Tensor,
  logits: Tensor<A>,
  logSumExp: Tensor,
  sizes: CrossEntropySizes,
): Tensor<A> => {
  const { engine } = logits
  for (const x of [dLosses, logSumExp]) expectShape('crossEntropyPullback rows', x.shape, [sizes.rows])
  const override = engine.fused.crossEntropyPullback
  if (override === undefined)
    return scope(() => {
      const rows = [sizes.rows, sizes.columns]
      const error = multiply(
        subtract(softmax(logits.share(rows)), targetDistribution(logits, sizes)),
        counted(logits, sizes),
      )
      return multiply(error, dLosses.share([sizes.rows, 1])).share<A>(logits.shape)
    })
  const dLogits = empty<A>(engine, logits.shape)
  launch(engine, 5 * logits.size, dLosses, logits, logSumExp, dLogits)
  override(dLogits.storage, dLosses.storage, logits.storage, logSumExp.storage, sizes)
  return dLogits
}

const derivedCrossEntropy = (logits: Tensor, sizes: CrossEntropySizes): RowLosses =>
  scope(() => {
    const x = logits.share([sizes.rows, sizes.columns])
    const highest = max(x, -1)
    const logSumExp = add(log(sum(exp(subtract(x, highest)), -1)), highest)
    const expected = sum(multiply(x, targetDistribution(logits, sizes)), -1)
    const losses = multiply(subtract(logSumExp, expected), counted(logits, sizes))
    return { losses: losses.share([sizes.rows]), logSumExp: logSumExp.share([sizes.rows]) }
  })

/** p_ij = (1 - s) [j = target_i] + s / columns. */
const targetDistribution = (beside: Tensor, { rows, columns, targets, labelSmoothing }: CrossEntropySizes): Tensor => {
  const p = new Float64Array(rows * columns).fill(labelSmoothing / columns)
  targets.forEach((target, i) => {
    const at = i * columns + target
    if (target >= 0 && target < columns) p[at] = (p[at] ?? 0) + 1 - labelSmoothing
  })
  return tensor(beside.engine, [rows, columns], p)
}

/** 1 for rows that count, 0 for ignored ones. */
const counted = (beside: Tensor, { rows, targets, ignoreIndex }: CrossEntropySizes): Tensor =>
  tensor(
    beside.engine,
    [rows, 1],
    Float64Array.from(targets, target => (target === ignoreIndex ? 0 : 1)),
  )
