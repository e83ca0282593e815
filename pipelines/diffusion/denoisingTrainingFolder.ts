/** Training a diffusion model in a folder: a new run, or where its last checkpoint left it. */
import type * as t from 'io-ts'
import type { Observable } from 'rxjs'
import { trainWordTokenizer } from '../../operators/token/word.ts'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import { oneOf } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import { InputError } from '../../src/errors.ts'
import type { HostTensor, HostTensors } from '../../src/format/hostTensor.ts'
import { Region } from '../../src/tensor/region.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { folderSource } from '../folder.ts'
import { upload } from '../parameters.ts'
import { trainingUnder } from '../presets.ts'
import { digest } from '../readText.ts'
import { openRunFolder, runInFolder } from '../runFolder.ts'
import { same } from '../runRecord.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import type { AutoencoderFiles } from './autoencoderFolder.ts'
import type { Frame } from './denoise.ts'
import { readDenoiser } from './denoisingFiles.ts'
import { denoiserFiles } from './denoisingFolder.ts'
import { type DenoisingPresetName, denoisingConfig, denoisingPresets } from './denoisingPresets.ts'
import { type DenoisingRun, denoisingRun } from './denoisingRun.ts'
import { autoencoderOf, scalingFactor } from './latent.ts'
import { encodeSet, latentSamples, scaledLatents } from './latentBatches.ts'
import { AUTOENCODER } from './networkOf.ts'
import { pictureSamples } from './pictureBatches.ts'
import { heldOut, type PictureRunGiven, pictureIdentity, pictureRecord, resumedPictures } from './pictureRecord.ts'
import { AVERAGE, averagesOf, under } from './trainDenoiser.ts'
import { vae } from './vae.ts'

export interface DenoisingTrainingFolderOptions extends Pick<PictureRunGiven, 'out' | 'pictures' | 'engine'> {
  /** The run's own when it goes on; else `digits`, or `latent` with an autoencoder, unless given. */
  readonly preset?: DenoisingPresetName | null
  /** An autoencoder whose latents are diffused; the pictures themselves unless given. The folder keeps a copy of it. */
  readonly latent?: AutoencoderFiles | null
  /** By class the texts that say it, from which the model learns to be told texts; it is told classes unless given. */
  readonly captions?: readonly (readonly string[])[] | null
  /** Whether the variance of reverse steps is learnt too; false unless given. */
  readonly learnSigma?: boolean
  /** Training options by name, undecoded; errors name their flags. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Go on from the last checkpoint, where there is one; false unless given. */
  readonly resume?: boolean
}

export const DenoisingPresetNameCodec = oneOf('digits', 'digits-flow', 'digits-dit', 'latent', 'tiny', 'tiny-unet')

const DenoisingRecord = pictureRecord(DenoisingPresetNameCodec, DenoisingTrainingOptions)
type DenoisingRecord = t.TypeOf<typeof DenoisingRecord>

/** Everything that `trainDenoiserInFolder` runs. */
export interface DenoisingTrainingFolder {
  readonly out: string
  readonly run: Required<DenoisingRun>
  readonly identity: Omit<DenoisingRecord, 'optimizer'>
  /** Why a resumed run goes on, but not bit for bit (law L11); null where it does. */
  readonly inexact: string | null
}

type Given = Required<DenoisingTrainingFolderOptions>

/** Prepares a run and its folder: pictures become latents here. See `openRunFolder`. */
export const denoisingTrainingFolder = async ({
  preset = null,
  latent = null,
  captions = null,
  learnSigma = false,
  own = {},
  resume = false,
  ...rest
}: DenoisingTrainingFolderOptions): Promise<DenoisingTrainingFolder> => {
  const given = { ...rest, preset, latent, captions, learnSigma, own, resume }
  return openRunFolder(
    'a diffusion model',
    given,
    () => begun(given),
    checkpoint => resumed(given, checkpoint),
  )
}

const begun = async (given: Given): Promise<DenoisingTrainingFolder> => {
  const { out, pictures, engine, own, latent, captions, learnSigma } = given
  const preset = given.preset ?? (latent === null ? 'digits' : 'latent')
  const options = trainingUnder(DenoisingTrainingOptions, denoisingPresets[preset].training, own, flagName)
  if (latent !== null && options.flip)
    throw new InputError('--flip: expected pictures; latents turned around are not those of pictures turned around')
  if (learnSigma && options.weighting !== 'simple')
    throw new InputError(
      `--weighting: expected simple, by which alone a variance is learnt; found ${options.weighting}`,
    )
  const text = captions === null ? null : { captions, tokenizer: trainWordTokenizer(captions.flat()) }
  const config = denoisingConfig(denoisingPresets[preset], pictures, {
    autoencoder: latent?.config ?? null,
    text,
    learnSigma,
  })
  const samples = await samplesOf(given, config, options, latent?.tensors ?? new Map(), null)
  const run = {
    engine,
    options,
    ...samples,
    tokenizer: text?.tokenizer ?? null,
    still: new Map(prefixed(`${AUTOENCODER}.`, latent?.tensors ?? new Map())),
    from: null,
  }
  return { out, identity: { preset, options, ...pictureIdentity(given) }, inexact: null, run }
}

const resumed = async (given: Given, checkpoint: string): Promise<DenoisingTrainingFolder> => {
  const { out, engine, latent, captions } = given
  const { latest, options, inexact } = resumedPictures(given, DenoisingRecord, DenoisingTrainingOptions)
  const { config, tokenizer } = readDenoiser(folderSource(checkpoint))
  const coder = under(`${AUTOENCODER}.`, latest.tensors)
  if (latent !== null) same('--latent', digestOf(coder), digestOf(latent.tensors), out)
  if (captions !== null) same('--captions', JSON.stringify(config.captions), JSON.stringify(captions), out)
  if (given.learnSigma) same('--learn-sigma', config.network.learn_sigma, true, out)
  const factor = config.autoencoder?.scaling_factor ?? null
  const run = {
    engine,
    options,
    ...(await samplesOf(given, config, options, coder, factor)),
    tokenizer,
    still: new Map(prefixed(`${AUTOENCODER}.`, coder)),
    from: snapshotIn(latest),
  }
  return { out, identity: { ...latest.state, options, backend: engine.backend }, inexact, run }
}

/** What is diffused of pictures, and the configuration with the factor that gives latents unit variance: the one given, else that of those to train on. */
const samplesOf = async (
  { pictures, engine }: Given,
  config: DenoisingConfig,
  { validation: part }: DenoisingTrainingOptions,
  coder: HostTensors,
  given: number | null,
): Promise<Pick<DenoisingRun, 'config' | 'training' | 'validation'>> => {
  const { training, validation } = heldOut(pictures, part)
  const { autoencoder } = config
  if (autoencoder === null)
    return { config, training: pictureSamples(training), validation: pictureSamples(validation) }
  const region = new Region()
  try {
    const parameters = region.run(() => upload(coder, engine))
    const raw = autoencoderOf(vae(autoencoder), parameters, 1)
    const [learnt, held] = [await encodeSet(engine, raw, training), await encodeSet(engine, raw, validation)]
    const factor = given ?? scalingFactor(learnt.latents)
    return {
      config: { ...config, autoencoder: { ...autoencoder, scaling_factor: factor } },
      training: latentSamples(scaledLatents(learnt, factor)),
      validation: latentSamples(scaledLatents(held, factor)),
    }
  } finally {
    region.close()
  }
}

const digestOf = (tensors: HostTensors): string =>
  digest(
    ...[...tensors]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, { data }]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  )

/** Runs the training; each checkpoint also opens as a model, of the averaged weights. See `runInFolder`. Law L11. */
export const trainDenoiserInFolder = ({ out, run, identity }: DenoisingTrainingFolder): Observable<RunStep<Frame>> => {
  const { config, tokenizer, still } = run
  const filesOf = (tensors: HostTensors) => denoiserFiles({ config, tensors, tokenizer })
  return runInFolder({
    out,
    steps$: denoisingRun(run),
    from: run.from,
    codec: DenoisingRecord,
    checkpointOf: snapshot => checkpointOf(snapshot, identity, still),
    keep: run.options.keep,
    files: filesOf(new Map()),
    modelOf: snapshot => filesOf(new Map([...averagesOf(snapshot), ...still])),
  })
}

/** Where a checkpoint keeps the parameters themselves, its model being the average. */
const PARAMETERS = 'parameters/'

const prefixed = (prefix: string, tensors: HostTensors): [string, HostTensor][] =>
  [...tensors].map(([name, x]) => [`${prefix}${name}`, x])

const without = (prefix: string, tensors: HostTensors): [string, HostTensor][] =>
  [...tensors].filter(([name]) => !name.startsWith(prefix))

const checkpointOf = (
  snapshot: Snapshot,
  identity: DenoisingTrainingFolder['identity'],
  still: HostTensors,
): Checkpoint<DenoisingRecord> => {
  const { step, parameters, optimizer } = snapshot
  return {
    step,
    tensors: new Map([...averagesOf(snapshot), ...still]),
    optimizer: new Map([...without(AVERAGE, optimizer.tensors), ...prefixed(PARAMETERS, parameters)]),
    state: { ...identity, optimizer: optimizer.plain },
  }
}

const snapshotIn = ({ step, tensors, optimizer, state }: Checkpoint<DenoisingRecord>): Snapshot => ({
  step,
  parameters: under(PARAMETERS, optimizer),
  optimizer: {
    tensors: new Map([
      ...without(PARAMETERS, optimizer),
      ...prefixed(AVERAGE, new Map(without(`${AUTOENCODER}.`, tensors))),
    ]),
    plain: state.optimizer,
  },
})
