import { defer, last, type MonoTypeOperatorFunction, map, type Observable } from 'rxjs'
import type { ModelConfig } from '../src/codec/model.ts'
import type { TrainingOptions } from '../src/codec/training.ts'
import type { Engine } from '../src/engine/engine.ts'
import { initialize } from '../src/initialize.ts'
import { fold, key } from '../src/random.ts'
import { tokens } from '../src/tensor/tokens.ts'
import { evaluate } from './evaluate.ts'
import { everyLogits } from './languageModel.ts'
import { modelOf } from './model.ts'
import { optimizerOf, type RunStep, runTraining, type Snapshot } from './runTraining.ts'
import { randomWindows } from './textBatches.ts'
import { type Gradient, nextTokenByBlocks } from './trainer.ts'

export interface TrainingRun {
  readonly engine: Engine
  readonly config: ModelConfig
  readonly options: TrainingOptions
  readonly training: Int32Array
  readonly validation: Int32Array
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
  /** As in `Run`. */
  readonly through?: MonoTypeOperatorFunction<Gradient>
}

const BATCHES = 'batches'
const DROPOUT = 'dropout'
const PARAMETERS = 'parameters'
/** Tokens of one evaluation batch, about. */
const EVALUATION_TOKENS = 4096

/** Trains a language model on token ids: random windows of the text, the loss in nats a token on all of the validation text. See `runTraining`. */
export const trainingRun = ({
  engine,
  config,
  options,
  training,
  validation,
  from,
  through,
}: TrainingRun): Observable<RunStep> =>
  defer(() => {
    const language = modelOf(config)
    const model = everyLogits(language)
    const run = key(options.seed)
    const { block } = options
    const evaluation = { batch: Math.max(1, Math.floor(EVALUATION_TOKENS / block)), block }
    return runTraining({
      engine,
      options,
      ...optimizerOf(options),
      parameters: () => initialize(model, tokens([0]), engine, fold(run, PARAMETERS)),
      objective: nextTokenByBlocks(language),
      batchAt: randomWindows(training, options, fold(run, BATCHES)),
      key: fold(run, DROPOUT),
      validate:
        validation.length > block
          ? ({ parameters }) =>
              evaluate(model, parameters, validation, evaluation).pipe(
                last(),
                map(result => result.loss),
              )
          : null,
      from,
      ...(through === undefined ? {} : { through }),
    })
  })
