import { concatMap, defer, from, type MonoTypeOperatorFunction, map, type Observable, of, tap } from 'rxjs'
import { NumericError } from '../src/errors.ts'
import { read } from '../src/tensor/tensor.ts'
import { batches, closed, type Pace, type Trainer } from '../streams/index.ts'
import { Gate } from './gate.ts'
import type { Batch } from './textBatches.ts'
import type { Gradient, Trained, TrainerState } from './trainer.ts'

/** One optimizer step, after its loss was read. */
export interface TrainingStep<O> {
  /** Updates done, this one included. */
  readonly step: number
  /** Mean loss of the batch before the update. */
  readonly loss: number
  /** The state after the update; its tensors live until the next step. */
  readonly state: TrainerState<O>
}

export interface TrainOptions<O, B = Batch> extends Pace {
  readonly trainer: Trainer<TrainerState<O>, B, Gradient, Trained<O>>
  /** The batch of an index, null after the last. */
  readonly batchAt: (index: number) => B | null | Promise<B | null>
  /** Between the gradients and the optimizer: clip, accumulate, merge, plot. Nothing unless given. */
  readonly through?: MonoTypeOperatorFunction<Gradient>
  /** How many later gradients an emitted one outlives: 1 unless given, n - 1 before `bufferCount(n)`. */
  readonly keep?: number
}

/**
 * A training run: loop over batches, gradients through the user's own operators, updates, losses read. A loss that is not a number
 * ends the run with a `NumericError` before anybody could save the state. Cold. Laws L11, O10, S10, S13, S15, S16.
 */
export const train = <O, B = Batch>({
  trainer,
  batchAt,
  through = gradients => gradients,
  keep = 1,
  ...pace
}: TrainOptions<O, B>): Observable<TrainingStep<O>> =>
  defer(() => {
    // Where the read is late, the next batch waits for it: its update would consume the state that goes with this loss.
    const gate = new Gate()
    return batches(index => gate.pass(() => batchAt(index)), pace).pipe(
      closed(trainer, through, { keep }),
      concatMap(({ loss, state }) => {
        const step = (data: ArrayLike<number>): TrainingStep<O> => ({
          step: state.step,
          loss: data[0] ?? Number.NaN,
          state,
        })
        const data = read(loss)
        return data instanceof Promise ? from(data).pipe(map(step), gate.shut()) : of(step(data))
      }),
      tap(({ step, loss }) => {
        if (!Number.isFinite(loss))
          throw new NumericError(`step ${step}: the loss is ${loss}; lower the learning rate or clip the gradient`)
      }),
    )
  })
