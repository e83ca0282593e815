import type { Observable } from 'rxjs'
import type { Planes } from '../../operators/convolution/planes.ts'
import { reparametrize } from '../../operators/latent/reparametrize.ts'
import type { RunOptions } from '../../src/codec/training.ts'
import type { VaeConfig } from '../../src/codec/vae.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import type { PictureSet } from '../../src/format/pictures.ts'
import { initialize, parametersOf } from '../../src/initialize.ts'
import { compose } from '../../src/operator.ts'
import { fold, key } from '../../src/random.ts'
import { empty, tensor } from '../../src/tensor/tensor.ts'
import { optimizerOf, type RunStep, runTraining, type Snapshot } from '../runTraining.ts'
import { randomPictures } from './pictureBatches.ts'
import { type Vae, vae, vaeLoss } from './vae.ts'

export interface VaeRunOptions extends RunOptions {
  /** Pictures a batch. */
  readonly batch: number
  /** What a nat of divergence costs, in units of squared error of a pixel; see `vaeLoss`. */
  readonly divergence: number
}

export interface VaeRun {
  readonly engine: Engine
  readonly config: VaeConfig
  readonly options: VaeRunOptions
  readonly training: PictureSet
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
}

const picture = ({ in_channels, height, width }: VaeConfig): Planes =>
  empty(shapeEngine(), [1, in_channels, height, width])

/** Pictures through one sample of their latents: it asks for all parameters. */
const whole = ({ encoder, decoder }: Vae) => compose(compose(encoder, reparametrize), decoder)

/** The parameters of a VAE and their shapes. */
export const vaeParameters = (config: VaeConfig) => parametersOf(whole(vae(config)), picture(config))

/** Trains a variational autoencoder on pictures, their classes aside. See `vaeLoss` and `runTraining`. */
export const vaeRun = ({ engine, config, options, training, from }: VaeRun): Observable<RunStep> => {
  const run = key(options.seed)
  const model = vae(config)
  const loss = vaeLoss(model, options.divergence)
  return runTraining({
    engine,
    options,
    ...optimizerOf(options),
    parameters: () => initialize(whole(model), picture(config), engine, fold(run, 'parameters')),
    objective: (c, { shape, pictures }) => loss(c, tensor(engine, shape, pictures)),
    batchAt: randomPictures(training, { ...options, dropLabels: 1, flip: false }, fold(run, 'batches')),
    key: fold(run, 'noise'),
    validate: null,
    from,
  })
}
