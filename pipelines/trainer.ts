import type { Logits } from '../operators/hidden.ts'
import { blockwiseCrossEntropy } from '../operators/loss/blockwiseCrossEntropy.ts'
import { crossEntropy } from '../operators/loss/crossEntropy.ts'
import { applyUpdate, type Optimizer } from '../operators/optimizer/index.ts'
import { compose } from '../src/compose.ts'
import { type Context, context, type Named, type Tap } from '../src/context.ts'
import { full } from '../src/kernel/fill.ts'
import type { Operator } from '../src/operator.ts'
import { fold, type Key } from '../src/random.ts'
import { scope } from '../src/tensor/scope.ts'
import type { Tensor } from '../src/tensor/tensor.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import type { Taps, Trainer } from '../streams/index.ts'
import { everyHidden, type LanguageModel } from './languageModel.ts'
import type { Batch } from './textBatches.ts'

export interface TrainerState<O> {
  readonly parameters: Named
  readonly optimizer: O
  /** Updates done. */
  readonly step: number
}

/** What flows through the user's own stream operators between model and optimizer. */
export interface Gradient {
  /** Mean loss of the batch; of text, in nats a token. */
  readonly loss: Tensor<readonly []>
  readonly gradient: Named
}

export interface Trained<O> {
  readonly loss: Tensor<readonly []>
  /** The state after this update; its tensors live until the next. */
  readonly state: TrainerState<O>
}

/** What a run makes small: the mean loss of a batch, with its pullback into the parameters. */
export type Objective<B> = (
  c: Context,
  batch: B,
) => { readonly value: Tensor<readonly []>; readonly pullback: (d: Tensor<readonly []>) => readonly [Named, unknown] }

/** A batch's place in the run: keys are folded with it. */
export interface Indexed {
  readonly index: number
}

/** The next token's cross-entropy, in nats. */
export const nextToken =
  (model: Operator<Tokens, Logits>): Objective<Batch> =>
  (c, { inputs, targets }) =>
    compose(model, crossEntropy(targets))(c, inputs)

/** Logits that may exist at once: 64 MiB of them. */
const MOST_LOGITS = 2 ** 24

/** The same of a model whose vocabulary may be large: more than `mostLogits` are computed a block of positions at a time and never all held. */
export const nextTokenByBlocks =
  (model: LanguageModel, mostLogits = MOST_LOGITS): Objective<Batch> =>
  (c, { inputs, targets }) => {
    const { head, vocabulary } = model
    const positions = Math.max(1, Math.floor(mostLogits / vocabulary))
    const loss =
      targets.ids.length <= positions
        ? compose(head, crossEntropy(targets))
        : blockwiseCrossEntropy(head, targets, { positions })
    return compose(everyHidden(model), loss)(c, inputs)
  }

/** Loss and gradient of one batch at these parameters. */
export const lossGradient = <B extends Indexed>(
  objective: Objective<B>,
  parameters: Named,
  batch: B,
  key: Key,
  tap: Tap | null = null,
): Gradient =>
  scope(() => {
    const { value, pullback } = objective(context(parameters, { train: true, key: fold(key, batch.index), tap }), batch)
    const [gradient] = pullback(full(value.engine, [], 1))
    return { loss: value, gradient }
  })

/** `lossGradient` of a language model. */
export const gradientOf = (
  model: Operator<Tokens, Logits>,
  parameters: Named,
  batch: Batch,
  key: Key,
  tap: Tap | null = null,
): Gradient => lossGradient(nextToken(model), parameters, batch, key, tap)

/**
 * Training in two halves, for `closed`: the gradient of a batch, and the update it makes. `start` gives the first state, fresh or from a checkpoint;
 * the state it gives is consumed. `key` seeds dropout; `taps` shows activations and attention while training.
 */
export const objectiveTrainer = <B extends Indexed, O>(
  objective: Objective<B>,
  optimizer: Optimizer<O>,
  start: () => TrainerState<O>,
  key: Key,
  taps?: Pick<Taps, 'tap'>,
): Trainer<TrainerState<O>, B, Gradient, Trained<O>> => ({
  init: start,
  gradient: ({ parameters }, batch) => lossGradient(objective, parameters, batch, key, taps?.tap),
  update: ({ parameters, optimizer: memory, step }, { loss, gradient }) => {
    const [update, next] = optimizer.step(memory, { gradient, parameters })
    const state = { parameters: applyUpdate(parameters, update), optimizer: next, step: step + 1 }
    return [{ loss, state }, state]
  },
})

/** `objectiveTrainer` of a language model. */
export const trainer = <O>(
  model: Operator<Tokens, Logits>,
  optimizer: Optimizer<O>,
  start: () => TrainerState<O>,
  key: Key,
  taps?: Pick<Taps, 'tap'>,
): Trainer<TrainerState<O>, Batch, Gradient, Trained<O>> =>
  objectiveTrainer(nextToken(model), optimizer, start, key, taps)
