import type { CrossEntropySizes } from '../engine/fused.ts'
import { InputError, ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor, tensor } from '../tensor/tensor.ts'
import { type Tokens, tokens } from '../tensor/tokens.ts'
import { expectShape, rowsOf } from './axis.ts'
import { add, multiply, scale, subtract } from './binary.ts'
import { gather, scatterAdd } from './gather.ts'
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

/** Of a logit: maximum, difference, power, its sum, and the sum of logits that smoothing takes. */
const FLOPS = 5
/** Difference, power, the target's share and dLosses. */
const PULLBACK_FLOPS = 4

/** Checks shapes, targets and options of a cross-entropy. */
export const crossEntropySizes = (logits: Tensor, targets: Tokens, options: CrossEntropyOptions): CrossEntropySizes => {
  const { rows, columns } = rowsOf(logits)
  const { ignoreIndex = -100, labelSmoothing = 0 } = options
  if (targets.ids.length !== rows)
    throw new ShapeError(`crossEntropy: ${rows} rows of logits, ${targets.ids.length} targets`)
  if (!(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new InputError(`label smoothing: expected a number in [0, 1), found ${labelSmoothing}`)
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
  launch(engine, FLOPS * logits.size, logits, losses, logSumExp)
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
      const { rows, columns } = sizes
      const ids = counted(sizes)
      const error = subtract(
        softmax(gather(logits.share([rows, columns]), ids)),
        targetDistribution(logits, sizes, ids),
      )
      const d = multiply(error, gather(dLosses.share([rows, 1]), ids))
      return scatterAdd(d, ids, rows).share<A>(logits.shape)
    })
  const dLogits = empty<A>(engine, logits.shape)
  launch(engine, PULLBACK_FLOPS * logits.size, dLosses, logits, logSumExp, dLogits)
  override(dLogits.storage, dLosses.storage, logits.storage, logSumExp.storage, sizes)
  return dLogits
}

/** Ignored rows are left out rather than multiplied by 0, and of the others the target's logit is taken, so that no infinity or NaN beside counts. */
const derivedCrossEntropy = (logits: Tensor, sizes: CrossEntropySizes): RowLosses =>
  scope(() => {
    const { rows, columns, targets, labelSmoothing } = sizes
    const x = logits.share([rows, columns])
    const highest = max(x, -1)
    const logSumExp = add(log(sum(exp(subtract(x, highest)), -1)), highest)
    const ids = counted(sizes)
    const hits = ids.ids.map(i => i * columns + targets[i])
    const hit = scale(gather(x.share([rows * columns, 1]), tokens(hits, ids.shape)), 1 - labelSmoothing)
    const expected = labelSmoothing === 0 ? hit : add(hit, gather(scale(sum(x, -1), labelSmoothing / columns), ids))
    const losses = scatterAdd(subtract(gather(logSumExp, ids), expected), ids, rows)
    return { losses: losses.share([rows]), logSumExp: logSumExp.share([rows]) }
  })

/** The rows that count. */
const counted = ({ targets, ignoreIndex }: CrossEntropySizes): Tokens => {
  const rows = [...targets.keys()].filter(i => targets[i] !== ignoreIndex)
  return tokens(rows, [rows.length])
}

/** p_ij = (1 - s) [j = target_i] + s / columns, of these rows. */
const targetDistribution = (
  beside: Tensor,
  { columns, targets, labelSmoothing }: CrossEntropySizes,
  { ids }: Tokens,
): Tensor => {
  const p = new Float64Array(ids.length * columns).fill(labelSmoothing / columns)
  ids.forEach((row, i) => {
    p[i * columns + targets[row]] += 1 - labelSmoothing
  })
  return tensor(beside.engine, [ids.length, columns], p)
}
