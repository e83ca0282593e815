import { concatMap, from, map, type Observable, of, scan, tap } from 'rxjs'
import type { Logits } from '../operators/hidden.ts'
import { crossEntropy } from '../operators/loss/crossEntropy.ts'
import { compose } from '../src/compose.ts'
import { context, type Weights } from '../src/context.ts'
import { NumericError } from '../src/errors.ts'
import type { Operator } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import { read } from '../src/tensor/tensor.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import { batches } from '../streams/index.ts'
import { type Batch, consecutiveWindows, type Windows } from './textBatches.ts'

export interface Evaluation {
  /** Tokens predicted so far. */
  readonly tokens: number
  /** Mean negative log-likelihood of a token, in nats. */
  readonly loss: number
  /** exp(loss). */
  readonly perplexity: number
}

/** Mean loss of one batch, in nats a token; a promise on a GPU. The read settles before its tensor is freed. */
const meanLoss = (
  model: Operator<Tokens, Logits>,
  parameters: Weights,
  { inputs, targets }: Batch,
): number | Promise<number> => {
  const { loss } = scope(() => ({
    loss: read(compose(model, crossEntropy(targets))(context(parameters, { differentiable: false }), inputs).value),
  }))
  const first = (data: ArrayLike<number>): number => data[0] ?? Number.NaN
  return loss instanceof Promise ? loss.then(first) : first(loss)
}

/**
 * The model's loss on a whole text, in windows side by side: a running mean, whose last value is the result. Each window starts without context, as
 * in training. A loss that is not finite is a `NumericError`.
 */
export const evaluate = (
  model: Operator<Tokens, Logits>,
  parameters: Weights,
  ids: Int32Array,
  windows: Windows,
): Observable<Evaluation> =>
  batches({ [Symbol.iterator]: () => consecutiveWindows(ids, windows) }).pipe(
    concatMap(batch => {
      const loss = meanLoss(model, parameters, batch)
      const count = batch.targets.ids.length
      return loss instanceof Promise ? from(loss.then(nats => ({ loss: nats, count }))) : of({ loss, count })
    }),
    tap(({ loss }) => {
      if (!Number.isFinite(loss)) throw new NumericError(`the loss on the text is ${loss}: expected a finite number`)
    }),
    scan((sum, { loss, count }) => ({ tokens: sum.tokens + count, nats: sum.nats + loss * count }), {
      tokens: 0,
      nats: 0,
    }),
    map(({ tokens, nats }) => ({ tokens, loss: nats / tokens, perplexity: Math.exp(nats / tokens) })),
  )
