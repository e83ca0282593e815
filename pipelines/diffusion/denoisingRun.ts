import { concatMap, from, last, map, type Observable, of, scan } from 'rxjs'
import { averaged } from '../../operators/optimizer/index.ts'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import type { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import { context, type Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { PictureSet } from '../../src/format/pictures.ts'
import { initialize } from '../../src/initialize.ts'
import { fold, type Key, key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read } from '../../src/tensor/tensor.ts'
import { batches } from '../../streams/index.ts'
import { optimizerOf, type RunStep, runTraining, type Snapshot } from '../runTraining.ts'
import type { Objective } from '../trainer.ts'
import { denoisingObjective, evenLevels } from './denoisingObjective.ts'
import { networkOf, sampleInput } from './networkOf.ts'
import { type PictureBatch, pictureBatches, randomPictures } from './pictureBatches.ts'
import { scheduleOf } from './scheduleOf.ts'

export interface DenoisingRun {
  readonly engine: Engine
  readonly config: DenoisingConfig
  readonly options: DenoisingTrainingOptions
  readonly training: PictureSet
  readonly validation: PictureSet
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

/** The mean of an objective over batches, weighted by their size; the noise of a batch is its index' own. */
const meanLoss = (
  objective: Objective<PictureBatch>,
  parameters: Named,
  source: Iterable<PictureBatch>,
  noise: Key,
): Observable<number> =>
  batches(source).pipe(
    concatMap(batch => {
      const count = batch.shape[0] ?? 0
      const { loss } = scope(() => {
        const c = context(parameters, { key: fold(noise, batch.index), differentiable: false })
        return { loss: read(objective(c, batch).value) }
      })
      const weighted = (data: ArrayLike<number>) => ({ count, sum: count * (data[0] ?? Number.NaN) })
      return loss instanceof Promise ? from(loss.then(weighted)) : of(weighted(loss))
    }),
    scan((total, next) => ({ count: total.count + next.count, sum: total.sum + next.sum })),
    last(),
    map(({ count, sum }) => sum / count),
  )

/** Trains a diffusion model; validates the averaged weights on pictures held out, at levels spread evenly. See `runTraining`. */
export const denoisingRun = ({
  engine,
  config,
  options,
  training,
  validation,
  from,
}: DenoisingRun): Observable<RunStep> => {
  const run = key(options.seed)
  const { optimizer, rate } = optimizerOf(options)
  const model = networkOf(config.network)
  const objectiveOptions = {
    engine,
    model,
    schedule: scheduleOf(config),
    prediction: config.prediction_type,
    weighting: options.weighting,
  }
  const measured = denoisingObjective({ ...objectiveOptions, levelsOf: evenLevels })
  return runTraining({
    engine,
    options,
    rate,
    optimizer: averaged(optimizer, decayOf(options.averageDecay)),
    parameters: () => initialize(model, sampleInput(config.network), engine, fold(run, PARAMETERS)),
    objective: denoisingObjective(objectiveOptions),
    batchAt: randomPictures(training, options, fold(run, BATCHES)),
    key: fold(run, NOISE),
    validate:
      validation.count === 0
        ? null
        : state =>
            meanLoss(
              measured,
              state.optimizer.average.average,
              { [Symbol.iterator]: () => pictureBatches(validation, options.batch) },
              fold(run, VALIDATION),
            ),
    from,
  })
}
