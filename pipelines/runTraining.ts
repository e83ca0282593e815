import { concatMap, defer, type MonoTypeOperatorFunction, map, type Observable, of, pipe } from 'rxjs'
import { adamW, chain, clipByGlobalNorm, cosineDecay, identity, type Optimizer } from '../operators/optimizer/index.ts'
import { orThrow } from '../src/codec/decode.ts'
import type { OptimizerOptions, RunOptions } from '../src/codec/training.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import type { Key } from '../src/random.ts'
import { flatten, type Json, unflatten } from '../src/state.ts'
import { accumulateGradients } from './accumulation.ts'
import { Gate } from './gate.ts'
import { download, upload } from './parameters.ts'
import { train } from './train.ts'
import { type Gradient, type Indexed, type Objective, objectiveTrainer, type TrainerState } from './trainer.ts'

/** All of a run that is needed to go on as if it had never stopped (law L11). */
export interface Snapshot {
  readonly step: number
  readonly parameters: HostTensors
  readonly optimizer: { readonly tensors: HostTensors; readonly plain: Json }
}

export interface RunStep<S = unknown> {
  /** Updates done. */
  readonly step: number
  /** Mean training loss of the step's batches; of text, in nats a token. */
  readonly loss: number
  /** Learning rate of this step. */
  readonly rate: number
  /** Mean loss on all of the validation data after the update, where it is due. */
  readonly validation: number | null
  /** Where a checkpoint is due: the run, copied to the host. */
  readonly snapshot: Snapshot | null
  /** What the run shows of itself besides its losses, where that is due: for instance samples of what it has learnt. */
  readonly shown: S | null
}

/** A run of any model. */
export interface Run<B extends Indexed, O, S = unknown> {
  readonly engine: Engine
  readonly options: RunOptions
  readonly optimizer: Optimizer<O>
  /** The learning rate by step, for the record. */
  readonly rate: (step: number) => number
  /** The first parameters of a run from the start. */
  readonly parameters: () => Named
  readonly objective: Objective<B>
  /** A function of the index alone, so that a run resumes anywhere. */
  readonly batchAt: (index: number) => B
  /** Seeds what is random in the model and the objective, batch by batch. */
  readonly key: Key
  /** The loss on data held out; null where there is none. */
  readonly validate: ((state: TrainerState<O>) => Observable<number>) | null
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
  /** What to show after so many steps, and after the last: one value, of the state then. */
  readonly shows?: { readonly every: number; readonly of: (state: TrainerState<O>) => Observable<S> } | null
  /**
   * The user's own operators on the gradient stream, before accumulation. They give one gradient for each they take: a resumed run finds its place
   * in the batches by its steps.
   */
  readonly through?: MonoTypeOperatorFunction<Gradient>
}

/** AdamW with warm-up and cosine after clipping, as the options say. */
export const optimizerOf = ({
  learningRate,
  minimumLearningRate,
  warmup,
  steps,
  beta1,
  beta2,
  epsilon,
  weightDecay,
  clip,
}: OptimizerOptions) => {
  const rate = cosineDecay({ rate: learningRate, minimum: minimumLearningRate, warmup, total: steps })
  return {
    rate,
    optimizer: chain(
      clip === 0 ? identity : clipByGlobalNorm(clip),
      adamW({ rate, beta1, beta2, epsilon, weightDecay }),
    ),
  }
}

const every = (period: number, step: number, last: number): boolean =>
  step === last || (period > 0 && step % period === 0)

/**
 * Trains: batches, gradients through the user's own operators, updates, validation and snapshots when due. Cold and deterministic: everything random is a
 * function of keys and the step (laws O10, L11). While it validates, shows or copies a snapshot no batch is drawn.
 */
export const runTraining = <B extends Indexed, O, S = unknown>({
  engine,
  options,
  optimizer,
  rate,
  parameters,
  objective,
  batchAt,
  key,
  validate,
  from,
  shows = null,
  through = pipe(),
}: Run<B, O, S>): Observable<RunStep<S>> =>
  defer(() => {
    const { accumulate, steps } = options
    const start = (): TrainerState<O> => {
      if (from === null) return { parameters: parameters(), optimizer: optimizer.init(), step: 0 }
      const memory = unflatten(
        optimizer.codec,
        upload(from.optimizer.tensors, engine),
        from.optimizer.plain,
        'optimizer',
      )
      return { parameters: upload(from.parameters, engine), optimizer: orThrow(memory), step: from.step }
    }
    const first = (from?.step ?? 0) * accumulate
    const gate = new Gate()
    const nextBatch = (index: number) => {
      const at = first + index
      // The end waits too: after it the state is freed.
      return gate.pass(() => (at >= steps * accumulate ? null : batchAt(at)))
    }
    return train({
      trainer: objectiveTrainer(objective, optimizer, start, key),
      batchAt: nextBatch,
      through: gradients => gradients.pipe(through, accumulateGradients(accumulate)),
      keep: accumulate,
    }).pipe(
      concatMap(({ step, loss, state }) => {
        const plain = { step, loss, rate: rate(step - 1), validation: null, snapshot: null, shown: null }
        const validates = validate !== null && every(options.evaluateEvery, step, steps)
        const saves = every(options.checkpointEvery, step, steps)
        const show = shows !== null && shows.every > 0 && every(shows.every, step, steps) ? shows.of : null
        if (!validates && !saves && show === null) return of(plain)
        const validation$: Observable<number | null> = validates ? validate(state) : of(null)
        const shown$: Observable<S | null> = show === null ? of(null) : show(state)
        return validation$.pipe(
          concatMap(validation => shown$.pipe(map(shown => ({ ...plain, validation, shown })))),
          concatMap(async measured => ({ ...measured, snapshot: saves ? await snapshotOf(state) : null })),
          gate.shut(),
        )
      }),
    )
  })

/** Copies a state to the host. A parameter that is not finite is a `NumericError`: such a state is not worth keeping. */
export const snapshotOf = async <O>({ parameters, optimizer, step }: TrainerState<O>): Promise<Snapshot> => {
  const { tensors, plain } = flatten(optimizer)
  return { step, parameters: await download(parameters), optimizer: { tensors: await download(tensors), plain } }
}
