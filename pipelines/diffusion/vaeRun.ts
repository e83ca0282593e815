import { defer, EMPTY, map, type Observable } from 'rxjs'
import type { Planes } from '../../operators/convolution/planes.ts'
import { reparametrize } from '../../operators/latent/reparametrize.ts'
import type { AutoencoderTrainingOptions } from '../../src/codec/autoencoderTraining.ts'
import type { VaeConfig } from '../../src/codec/vae.ts'
import { compose } from '../../src/compose.ts'
import type { Named } from '../../src/context.ts'
import type { Engine, HostData } from '../../src/engine/engine.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import type { PictureSet } from '../../src/format/pictures.ts'
import { initialize, parametersOf } from '../../src/initialize.ts'
import { fold, key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { empty, read, type Shape, tensor } from '../../src/tensor/tensor.ts'
import { meanLoss } from '../meanLoss.ts'
import { optimizerOf, type RunStep, runTraining, type Snapshot } from '../runTraining.ts'
import type { Objective } from '../trainer.ts'
import { arrived, autoencoderOf } from './latent.ts'
import { type PictureBatch, pictureBatches, randomPictures } from './pictureBatches.ts'
import { type Vae, vae, vaeLoss } from './vae.ts'

export interface VaeRun {
  readonly engine: Engine
  readonly config: VaeConfig
  readonly options: AutoencoderTrainingOptions
  readonly training: PictureSet
  /** Held out: its loss is measured, and its first pictures are shown. Nothing unless given. */
  readonly validation?: PictureSet
  /** Where to go on; from the start where null. */
  readonly from: Snapshot | null
}

const picture = ({ in_channels, height, width }: VaeConfig): Planes =>
  empty(shapeEngine(), [1, in_channels, height, width])

/** Pictures through one sample of their latents: it asks for all parameters. */
const whole = ({ encoder, decoder }: Vae) => compose(compose(encoder, reparametrize), decoder)

/** The parameters of a VAE and their shapes. */
export const vaeParameters = (config: VaeConfig) => parametersOf(whole(vae(config)), picture(config))

/** Pictures, and what their latents keep of them: on [-1, 1], of one shape. */
export interface Reconstruction {
  readonly shape: Shape
  readonly pictures: HostData
  readonly through: HostData
}

/** Pictures shown of a run. */
const SHOWN = 10

/** The first pictures of a set through encoder and decoder. */
const reconstruction = (
  engine: Engine,
  config: VaeConfig,
  parameters: Named,
  set: PictureSet,
): Observable<Reconstruction> =>
  defer(() => {
    const [batch] = pictureBatches(set, SHOWN)
    if (batch === undefined) return EMPTY
    const { shape, pictures } = batch
    const { encode, decode } = autoencoderOf(vae(config), parameters, 1)
    const { data } = scope(() => ({ data: read(decode(encode(tensor(engine, shape, pictures)))) }))
    return arrived(data).pipe(map(through => ({ shape, pictures, through })))
  })

/** Trains a variational autoencoder on pictures, their classes aside. See `vaeLoss` and `runTraining`. */
export const vaeRun = ({
  engine,
  config,
  options,
  training,
  validation,
  from,
}: VaeRun): Observable<RunStep<Reconstruction>> => {
  const run = key(options.seed)
  const model = vae(config)
  const loss = vaeLoss(model, options.divergence)
  const objective: Objective<PictureBatch> = (c, { shape, pictures }) => loss(c, tensor(engine, shape, pictures))
  const measured = validation === undefined || validation.count === 0 ? null : validation
  return runTraining({
    engine,
    options,
    ...optimizerOf(options),
    parameters: () => initialize(whole(model), picture(config), engine, fold(run, 'parameters')),
    objective,
    batchAt: randomPictures(training, { ...options, dropLabels: 1, flip: false }, fold(run, 'batches')),
    key: fold(run, 'noise'),
    validate:
      measured === null
        ? null
        : ({ parameters }) =>
            meanLoss(objective, parameters, pictureBatches(measured, options.batch), fold(run, 'validation')),
    from,
    shows: {
      every: options.sampleEvery,
      of: ({ parameters }) => reconstruction(engine, config, parameters, measured ?? training),
    },
  })
}
