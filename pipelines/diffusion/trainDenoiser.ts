import { last, type Observable } from 'rxjs'
import type { NoiseSchedule, Parametrization } from '../../operators/diffusion/index.ts'
import { averaged } from '../../operators/optimizer/index.ts'
import type { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { HostTensor, HostTensors } from '../../src/format/hostTensor.ts'
import { initialize } from '../../src/initialize.ts'
import { fold, type Key, key } from '../../src/random.ts'
import { meanLoss } from '../meanLoss.ts'
import { optimizerOf, type RunStep, runTraining, type Snapshot } from '../runTraining.ts'
import type { Frame } from './denoise.ts'
import { denoisingObjective, evenLevels } from './denoisingObjective.ts'
import type { ClassConditionalModel, Noisy } from './network.ts'
import type { PictureBatch } from './pictureBatches.ts'

/** A denoiser and what it learns from: pictures, or latents of them, and what each shows. */
export interface DenoiserTraining {
  readonly engine: Engine
  readonly model: ClassConditionalModel
  /** An input of the right shapes, from which parameters are declared. */
  readonly input: Noisy
  readonly schedule: NoiseSchedule
  readonly prediction: Parametrization
  /** The model learns a variance too; see `denoisingObjective`. */
  readonly learnedVariance?: boolean
  readonly options: DenoisingTrainingOptions
  /** Batch number `index` of the run of a key. */
  readonly batchesOf: (key: Key) => (index: number) => PictureBatch
  /** Held out, from the start at each validation; null where nothing is. */
  readonly validation: (() => Iterable<PictureBatch>) | null
  /** Draws something with the averaged weights, every `sampleEvery` steps: the last frame is shown. */
  readonly draw?: (parameters: Named) => Observable<Frame>
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
}

const BATCHES = 'batches'
const NOISE = 'noise'
const PARAMETERS = 'parameters'
const VALIDATION = 'validation'

/** The average weighs the beginning less, where the parameters are still far from what they will be. */
const decayOf =
  (most: number) =>
  (step: number): number =>
    Math.min(most, (1 + step) / (10 + step))

/** Trains a denoiser; validates the averaged weights at levels spread evenly, and shows what they draw. See `runTraining`. */
export const trainDenoiser = ({
  engine,
  model,
  input,
  schedule,
  prediction,
  learnedVariance = false,
  options,
  batchesOf,
  validation,
  draw,
  from,
}: DenoiserTraining): Observable<RunStep<Frame>> => {
  const run = key(options.seed)
  const { optimizer, rate } = optimizerOf(options)
  const objectiveOptions = { engine, model, schedule, prediction, weighting: options.weighting, learnedVariance }
  const measured = denoisingObjective({ ...objectiveOptions, levelsOf: evenLevels })
  return runTraining({
    engine,
    options,
    rate,
    optimizer: averaged(optimizer, decayOf(options.averageDecay)),
    parameters: () => initialize(model, input, engine, fold(run, PARAMETERS)),
    objective: denoisingObjective(objectiveOptions),
    batchAt: batchesOf(fold(run, BATCHES)),
    key: fold(run, NOISE),
    validate:
      validation === null
        ? null
        : state => meanLoss(measured, state.optimizer.average.average, validation(), fold(run, VALIDATION)),
    from,
    shows:
      draw === undefined
        ? null
        : { every: options.sampleEvery, of: state => draw(state.optimizer.average.average).pipe(last()) },
  })
}

/** Where `averaged` keeps the average in the optimizer's state. */
export const AVERAGE = 'average/average/'

/** The tensors whose names begin so, without that beginning. */
export const under = (prefix: string, tensors: HostTensors): Map<string, HostTensor> =>
  new Map([...tensors].flatMap(([name, x]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), x]] : [])))

/** The averaged weights of a run: its model. */
export const averagesOf = ({ optimizer }: Snapshot): HostTensors => under(AVERAGE, optimizer.tensors)
