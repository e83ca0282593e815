import type { Observable } from 'rxjs'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import type { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { PictureSet } from '../../src/format/pictures.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import type { Frame } from './denoise.ts'
import { diffuse } from './diffuse.ts'
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

const SAMPLE_STEPS = 20

/** What samples during training show: one picture of each class, four where there are none. */
export const sampleLabels = ({ network: { num_classes: classes } }: DenoisingConfig): Int32Array =>
  Int32Array.from({ length: classes === 0 ? 4 : classes }, (_, i) => (classes === 0 ? 0 : i))

/** Trains a diffusion model over pictures; validates on pictures held out, and shows samples of the same seed. See `trainDenoiser`. */
export const denoisingRun = ({
  engine,
  config,
  options,
  training,
  validation,
  from,
}: DenoisingRun): Observable<RunStep<Frame>> => {
  const model = networkOf(config.network)
  const schedule = scheduleOf(config)
  return trainDenoiser({
    engine,
    model,
    input: sampleInput(config.network),
    schedule,
    prediction: config.prediction_type,
    options,
    batchesOf: key => randomPictures(training, options, key),
    validation: validation.count === 0 ? null : () => pictureBatches(validation, options.batch),
    draw: parameters =>
      diffuse({ config, model, parameters, schedule }, engine, { labels: sampleLabels(config), steps: SAMPLE_STEPS }),
    from,
  })
}
