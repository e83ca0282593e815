import { map, type Observable, scan, tap } from 'rxjs'
import type { Logits } from '../operators/hidden.ts'
import { crossEntropy } from '../operators/loss/crossEntropy.ts'
import { compose } from '../src/compose.ts'
import { context, type Weights } from '../src/context.ts'
import { NumericError } from '../src/errors.ts'
import type { Operator } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import { read } from '../src/tensor/tensor.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import { eachBatch } from './eachBatch.ts'
import { type Batch, consecutiveWindows, type Windows } from './textBatches.ts'

export interface Evaluation {
  /** Tokens predicted so far. */
  readonly tokens: number
  /** Mean negative log-likelihood of a token, in nats. */
  readonly loss: number
  /** exp(loss). */
  readonly perplexity: number
}

/** Mean loss of one batch, in nats a token, and how many there are; a promise on a GPU. The read settles before its tensor is freed. */
const lossOf = (model: Operator<Tokens, Logits>, parameters: Weights, { inputs, targets }: Batch) => {
  const { loss } = scope(() => ({
    loss: read(compose(model, crossEntropy(targets))(context(parameters, { differentiable: false }), inputs).value),
  }))
  const counted = (data: ArrayLike<number>) => ({ loss: data[0] ?? Number.NaN, count: targets.ids.length })
  return loss instanceof Promise ? loss.then(counted) : counted(loss)
}

/** The model's loss on batches of windows: a running mean, whose last value is the result. A loss that is not finite is a `NumericError`. */
export const evaluateBatches = (
  model: Operator<Tokens, Logits>,
  parameters: Weights,
  batches: Iterable<Batch>,
): Observable<Evaluation> =>
  eachBatch(batches, batch => lossOf(model, parameters, batch)).pipe(
    tap(({ loss }) => {
      if (!Number.isFinite(loss)) throw new NumericError(`the loss on the text is ${loss}: expected a finite number`)
    }),
    scan((sum, { loss, count }) => ({ tokens: sum.tokens + count, nats: sum.nats + loss * count }), {
      tokens: 0,
      nats: 0,
    }),
    map(({ tokens, nats }) => ({ tokens, loss: nats / tokens, perplexity: Math.exp(nats / tokens) })),
  )

/** `evaluateBatches` of a whole text, in windows side by side: each starts without context, as in training. */
export const evaluate = (
  model: Operator<Tokens, Logits>,
  parameters: Weights,
  ids: Int32Array,
  windows: Windows,
): Observable<Evaluation> =>
  evaluateBatches(model, parameters, { [Symbol.iterator]: () => consecutiveWindows(ids, windows) })
