import type { Logits } from '../operators/hidden.ts'
import { crossEntropy } from '../operators/loss/crossEntropy.ts'
import { applyUpdate, type Optimizer } from '../operators/optimizer/index.ts'
import { context, type Named, type Tap } from '../src/context.ts'
import { full } from '../src/kernel/fill.ts'
import { compose, type Operator } from '../src/operator.ts'
import { fold, type Key } from '../src/random.ts'
import { scope } from '../src/tensor/scope.ts'
import type { Tensor } from '../src/tensor/tensor.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import type { Taps, Trainer } from '../streams/index.ts'
import type { Batch } from './textBatches.ts'

export interface TrainerState<O> {
  readonly parameters: Named
  readonly optimizer: O
  /** Updates done. */
  readonly step: number
}

/** What flows through the user's own stream operators between model and optimizer. */
export interface Gradient {
  /** Mean loss of the batch, in nats a token. */
  readonly loss: Tensor<readonly []>
  readonly gradient: Named
}

export interface Trained<O> {
  readonly loss: Tensor<readonly []>
  /** The state after this update; its tensors live until the next. */
  readonly state: TrainerState<O>
}

/** Loss and gradient of one batch at these parameters. */
export const gradientOf = (
  model: Operator<Tokens, Logits>,
  parameters: Named,
  { index, inputs, targets }: Batch,
  key: Key,
  tap: Tap | null = null,
): Gradient =>
  scope(() => {
    const { value, pullback } = compose(model, crossEntropy(targets))(
      context(parameters, { train: true, key: fold(key, index), tap }),
      inputs,
    )
    const [gradient] = pullback(full(value.engine, [], 1))
    return { loss: value, gradient }
  })

/**
 * Training in two halves, for `closed`: the gradient of a batch, and the update it makes. `start` gives the first state, fresh or from a checkpoint;
 * the state it gives is consumed. `key` seeds dropout; `taps` shows activations and attention while training.
 */
export const trainer = <O>(
  model: Operator<Tokens, Logits>,
  optimizer: Optimizer<O>,
  start: () => TrainerState<O>,
  key: Key,
  taps?: Pick<Taps, 'tap'>,
): Trainer<TrainerState<O>, Batch, Gradient, Trained<O>> => ({
  init: start,
  gradient: ({ parameters }, batch) => gradientOf(model, parameters, batch, key, taps?.tap),
  update: ({ parameters, optimizer: memory, step }, { loss, gradient }) => {
    const [update, next] = optimizer.step(memory, { gradient, parameters })
    const state = { parameters: applyUpdate(parameters, update), optimizer: next, step: step + 1 }
    return [{ loss, state }, state]
  },
})
