import { defer, finalize, type Observable } from 'rxjs'
import type { Tokenizer } from '../../operators/token/tokenizer.ts'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import type { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { HostTensors } from '../../src/format/hostTensor.ts'
import { Region } from '../../src/tensor/region.ts'
import { upload } from '../parameters.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import type { Frame } from './denoise.ts'
import { diffuse } from './diffuse.ts'
import { denoisingNetwork, sampleInput } from './networkOf.ts'
import { orderedBatches, randomBatches, type Samples } from './pictureBatches.ts'
import { scheduleOf } from './scheduleOf.ts'
import { tellingOf } from './telling.ts'
import { trainDenoiser } from './trainDenoiser.ts'

export interface DenoisingRun {
  readonly engine: Engine
  readonly config: DenoisingConfig
  readonly options: DenoisingTrainingOptions
  /** What is diffused: pictures, or the latents that an autoencoder makes of them. */
  readonly training: Samples
  readonly validation: Samples
  /** What reads the texts of a model that is told texts; null where it is told classes. */
  readonly tokenizer?: Tokenizer | null
  /** Parameters that are not trained: the autoencoder's, under their names in the model. */
  readonly still?: HostTensors
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
}

const SAMPLE_STEPS = 20

/** What samples during training show: one picture of each class, four where there are none. */
export const sampleLabels = ({ class_names: { length: classes } }: DenoisingConfig): Int32Array =>
  Int32Array.from({ length: classes === 0 ? 4 : classes }, (_, i) => (classes === 0 ? 0 : i))

/** Trains a diffusion model over pictures or latents; validates on what is held out, and shows samples of the same seed. See `trainDenoiser`. */
export const denoisingRun = ({
  engine,
  config,
  options,
  training,
  validation,
  tokenizer = null,
  still = new Map(),
  from,
}: DenoisingRun): Observable<RunStep<Frame>> => {
  const model = denoisingNetwork(config)
  const schedule = scheduleOf(config)
  const telling = tellingOf({ config, tokenizer })
  return trainDenoiser({
    engine,
    model,
    input: sampleInput(config.network),
    schedule,
    prediction: config.prediction_type,
    learnedVariance: config.network.learn_sigma,
    options,
    batchesOf: key => randomBatches(training, options, telling, key),
    validation: validation.count === 0 ? null : () => orderedBatches(validation, options.batch, telling),
    draw: parameters =>
      defer(() => {
        const region = new Region()
        const all = { ...parameters, ...region.run(() => upload(still, engine)) }
        const opened = { config, model, parameters: all, schedule, tokenizer }
        return diffuse(opened, engine, { labels: sampleLabels(config), steps: SAMPLE_STEPS, lastOnly: true }).pipe(
          finalize(() => region.close()),
        )
      }),
    from,
  })
}
