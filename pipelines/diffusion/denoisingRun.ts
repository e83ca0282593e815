import type { Observable } from 'rxjs'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import type { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { PictureSet } from '../../src/format/pictures.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import { networkOf, sampleInput } from './networkOf.ts'
import { pictureBatches, randomPictures } from './pictureBatches.ts'
import { scheduleOf } from './scheduleOf.ts'
import { trainDenoiser } from './trainDenoiser.ts'

export interface DenoisingRun {
  readonly engine: Engine
  readonly config: DenoisingConfig
  readonly options: DenoisingTrainingOptions
  readonly training: PictureSet
  readonly validation: PictureSet
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
}

/** Trains a diffusion model over pictures; validates on pictures held out. See `trainDenoiser`. */
export const denoisingRun = ({
  engine,
  config,
  options,
  training,
  validation,
  from,
}: DenoisingRun): Observable<RunStep> =>
  trainDenoiser({
    engine,
    model: networkOf(config.network),
    input: sampleInput(config.network),
    schedule: scheduleOf(config),
    prediction: config.prediction_type,
    options,
    batchesOf: key => randomPictures(training, options, key),
    validation: validation.count === 0 ? null : () => pictureBatches(validation, options.batch),
    from,
  })
