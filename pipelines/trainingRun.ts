import { concatMap, defer, last, type MonoTypeOperatorFunction, map, type Observable, of, pipe } from 'rxjs'
import { adamW, chain, clipByGlobalNorm, cosineDecay, identity } from '../operators/optimizer/index.ts'
import { orThrow } from '../src/codec/decode.ts'
import type { ModelConfig } from '../src/codec/model.ts'
import type { TrainingOptions } from '../src/codec/training.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { initialize } from '../src/initialize.ts'
import { fold, key } from '../src/random.ts'
import { flatten, type Json, unflatten } from '../src/state.ts'
import { tokens } from '../src/tensor/tokens.ts'
import { accumulateGradients } from './accumulation.ts'
import { evaluate } from './evaluate.ts'
import { Gate } from './gate.ts'
import { everyLogits } from './languageModel.ts'
import { modelOf } from './model.ts'
import { download, upload } from './parameters.ts'
import { randomWindows } from './textBatches.ts'
import { train } from './train.ts'
import { type Gradient, type TrainerState, trainer } from './trainer.ts'

/** All of a run that is needed to go on as if it had never stopped (law L11). */
export interface Snapshot {
  readonly step: number
  readonly parameters: HostTensors
  readonly optimizer: { readonly tensors: HostTensors; readonly plain: Json }
}

export interface TrainingRun {
  readonly engine: Engine
  readonly config: ModelConfig
  readonly options: TrainingOptions
  readonly training: Int32Array
  readonly validation: Int32Array
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
  /**
   * The user's own operators on the gradient stream, before accumulation. They give one gradient for each they take: a resumed run finds its place
   * in the batches by its steps.
   */
  readonly through?: MonoTypeOperatorFunction<Gradient>
}

export interface RunStep {
  /** Updates done. */
  readonly step: number
  /** Mean training loss of the step's batches, in nats a token. */
  readonly loss: number
  /** Learning rate of this step. */
  readonly rate: number
  /** Mean loss on all of the validation text after the update, where it is due. */
  readonly validation: number | null
  /** Where a checkpoint is due: the run, copied to the host. */
  readonly snapshot: Snapshot | null
}

const BATCHES = 'batches'
const DROPOUT = 'dropout'
const PARAMETERS = 'parameters'
/** Tokens of one evaluation batch, about. */
const EVALUATION_TOKENS = 4096

const optimizerOf = ({
  learningRate,
  minimumLearningRate,
  warmup,
  steps,
  beta1,
  beta2,
  epsilon,
  weightDecay,
  clip,
}: TrainingOptions) => {
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
 * Trains a language model on token ids: random windows, AdamW with warm-up and cosine, validation and snapshots when due. Cold and deterministic:
 * everything random is a function of the seed and the step (laws O10, L11). While it validates or copies a snapshot no batch is drawn.
 */
export const trainingRun = ({
  engine,
  config,
  options,
  training,
  validation,
  from,
  through = pipe(),
}: TrainingRun): Observable<RunStep> =>
  defer(() => {
    const model = everyLogits(modelOf(config))
    const run = key(options.seed)
    const { rate, optimizer } = optimizerOf(options)
    const { accumulate, steps, block } = options
    const start = (): TrainerState<ReturnType<typeof optimizer.init>> => {
      if (from === null)
        return {
          parameters: initialize(model, tokens([0]), engine, fold(run, PARAMETERS)),
          optimizer: optimizer.init(),
          step: 0,
        }
      const memory = unflatten(
        optimizer.codec,
        upload(from.optimizer.tensors, engine),
        from.optimizer.plain,
        'optimizer',
      )
      return { parameters: upload(from.parameters, engine), optimizer: orThrow(memory), step: from.step }
    }
    const first = (from?.step ?? 0) * accumulate
    const windows = randomWindows(training, options, fold(run, BATCHES))
    const gate = new Gate()
    const batchAt = (index: number) => {
      const at = first + index
      // The end waits too: after it the state is freed.
      return gate.pass(() => (at >= steps * accumulate ? null : windows(at)))
    }
    const evaluation = { batch: Math.max(1, Math.floor(EVALUATION_TOKENS / block)), block }
    return train({
      trainer: trainer(model, optimizer, start, fold(run, DROPOUT)),
      batchAt,
      through: gradients => gradients.pipe(through, accumulateGradients(accumulate)),
      keep: accumulate,
    }).pipe(
      concatMap(({ step, loss, state }) => {
        const plain: RunStep = { step, loss, rate: rate(step - 1), validation: null, snapshot: null }
        const validates = validation.length > block && every(options.evaluateEvery, step, steps)
        const saves = every(options.checkpointEvery, step, steps)
        if (!validates && !saves) return of(plain)
        const validation$: Observable<number | null> = validates
          ? evaluate(model, state.parameters, validation, evaluation).pipe(
              last(),
              map(result => result.loss),
            )
          : of(null)
        return validation$.pipe(
          concatMap(async measured => ({
            ...plain,
            validation: measured,
            snapshot: saves ? await snapshotOf(state) : null,
          })),
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
