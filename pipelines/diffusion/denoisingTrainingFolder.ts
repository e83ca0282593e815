/** Training a diffusion model in a folder: a new run, or where its last checkpoint left it. */
import * as t from 'io-ts'
import type { Observable } from 'rxjs'
import { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import { nullable, oneOf, text, where } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import type { HostTensor, HostTensors } from '../../src/format/hostTensor.ts'
import { type PictureSet, pictureSize } from '../../src/format/pictures.ts'
import { type Checkpoint, readLatest } from '../checkpoint.ts'
import { folderSource } from '../folder.ts'
import { trainingUnder } from '../presets.ts'
import { digest } from '../readText.ts'
import { openRunFolder, runInFolder } from '../runFolder.ts'
import { isJson, resumedOptions, same } from '../runRecord.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import type { Frame } from './denoise.ts'
import { readDenoiser } from './denoisingFiles.ts'
import { denoiserFiles } from './denoisingFolder.ts'
import { type DenoisingPresetName, denoisingConfig, denoisingPresets } from './denoisingPresets.ts'
import { type DenoisingRun, denoisingRun } from './denoisingRun.ts'
import { AVERAGE, averagesOf, under } from './trainDenoiser.ts'

export interface DenoisingTrainingFolderOptions {
  /** Where checkpoints and the model go. */
  readonly out: string
  /** All of the pictures; the last are held out for validation. */
  readonly pictures: PictureSet
  readonly engine: Engine
  /** The run's own when it goes on, else `digits`, unless given. */
  readonly preset?: DenoisingPresetName | null
  /** Training options by name, undecoded; errors name their flags. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Go on from the last checkpoint, where there is one; false unless given. */
  readonly resume?: boolean
}

export const DenoisingPresetNameCodec = oneOf('digits', 'digits-flow', 'digits-dit', 'tiny')

const DenoisingRecord = t.type(
  {
    preset: DenoisingPresetNameCodec,
    options: DenoisingTrainingOptions,
    /** SHA-256 of the pictures and their classes. */
    pictures: text,
    engine: text,
    /** The mode the engine ran in: another may round otherwise. */
    backend: nullable(text),
    /** What the optimizer remembers besides tensors. */
    optimizer: where('a JSON value', isJson),
  },
  'the record of a run',
)
type DenoisingRecord = t.TypeOf<typeof DenoisingRecord>

/** Everything that `trainDenoiserInFolder` runs. */
export interface DenoisingTrainingFolder {
  readonly out: string
  readonly run: DenoisingRun
  readonly identity: Omit<DenoisingRecord, 'optimizer'>
  /** Why a resumed run goes on, but not bit for bit (law L11); null where it does. */
  readonly inexact: string | null
}

type Given = Required<DenoisingTrainingFolderOptions>

/** Prepares a run and its folder. See `openRunFolder`. */
export const denoisingTrainingFolder = async ({
  preset = null,
  own = {},
  resume = false,
  ...rest
}: DenoisingTrainingFolderOptions): Promise<DenoisingTrainingFolder> => {
  const given = { ...rest, preset, own, resume }
  return openRunFolder(
    given,
    () => begun(given),
    checkpoint => resumed(given, checkpoint),
  )
}

const begun = ({ out, pictures, engine, preset, own }: Given): DenoisingTrainingFolder => {
  const name = preset ?? 'digits'
  const options = trainingUnder(DenoisingTrainingOptions, denoisingPresets[name].training, own, flagName)
  const config = denoisingConfig(denoisingPresets[name], pictures)
  const identity = {
    preset: name,
    options,
    pictures: digestOf(pictures),
    engine: engine.name,
    backend: engine.backend,
  }
  return {
    out,
    identity,
    inexact: null,
    run: { engine, config, options, ...heldOut(pictures, options.validation), from: null },
  }
}

const resumed = ({ out, pictures, engine, preset, own }: Given, checkpoint: string): DenoisingTrainingFolder => {
  const latest = readLatest(out, DenoisingRecord)
  if (latest === null) throw new InputError(`${out}: expected a checkpoint, found none`)
  const { step, state } = latest
  const { config } = readDenoiser(folderSource(checkpoint))
  const options = resumedOptions(DenoisingTrainingOptions, state.options, own, out)
  if (preset !== null) same('--preset', state.preset, preset, out)
  same('--engine', state.engine, engine.name, out)
  if (state.pictures !== digestOf(pictures))
    throw new InputError(`pictures: expected those of the run in ${out}, with SHA-256 ${state.pictures}, found others`)
  if (options.steps < step)
    throw new InputError(
      `--steps: expected at least the ${step} that the run in ${out} has done, found ${options.steps}`,
    )
  const { backend } = engine
  const inexact =
    state.backend === null || state.backend === backend
      ? null
      : `the run began on ${state.backend} and goes on with ${backend}: not bit for bit as if never stopped`
  const run = { engine, config, options, ...heldOut(pictures, options.validation), from: snapshotIn(latest) }
  return { out, identity: { ...state, options, backend }, inexact, run }
}

/** Runs the training; each checkpoint also opens as a model, of the averaged weights. See `runInFolder`. Law L11. */
export const trainDenoiserInFolder = ({ out, run, identity }: DenoisingTrainingFolder): Observable<RunStep<Frame>> =>
  runInFolder({
    out,
    steps$: denoisingRun(run),
    from: run.from,
    codec: DenoisingRecord,
    checkpointOf: snapshot => checkpointOf(snapshot, identity),
    keep: run.options.keep,
    files: denoiserFiles(run.config, new Map()),
    modelOf: snapshot => denoiserFiles(run.config, averagesOf(snapshot)),
  })

/** Where a checkpoint keeps the parameters themselves, its model being the average. */
const PARAMETERS = 'parameters/'

const prefixed = (prefix: string, tensors: HostTensors): [string, HostTensor][] =>
  [...tensors].map(([name, x]) => [`${prefix}${name}`, x])

const without = (prefix: string, tensors: HostTensors): [string, HostTensor][] =>
  [...tensors].filter(([name]) => !name.startsWith(prefix))

const checkpointOf = (
  snapshot: Snapshot,
  identity: DenoisingTrainingFolder['identity'],
): Checkpoint<DenoisingRecord> => {
  const { step, parameters, optimizer } = snapshot
  return {
    step,
    tensors: averagesOf(snapshot),
    optimizer: new Map([...without(AVERAGE, optimizer.tensors), ...prefixed(PARAMETERS, parameters)]),
    state: { ...identity, optimizer: optimizer.plain },
  }
}

const snapshotIn = ({ step, tensors, optimizer, state }: Checkpoint<DenoisingRecord>): Snapshot => ({
  step,
  parameters: under(PARAMETERS, optimizer),
  optimizer: {
    tensors: new Map([...without(PARAMETERS, optimizer), ...prefixed(AVERAGE, tensors)]),
    plain: state.optimizer,
  },
})

const digestOf = ({ pixels, labels, classes }: PictureSet): string =>
  digest(pixels, JSON.stringify([labels === null ? null : [...labels], classes]))

/** The last pictures apart from the others. */
const heldOut = (
  pictures: PictureSet,
  part: number,
): { readonly training: PictureSet; readonly validation: PictureSet } => {
  const at = pictures.count - Math.floor(pictures.count * part)
  const from = (start: number, end: number): PictureSet => ({
    ...pictures,
    count: end - start,
    pixels: pictures.pixels.subarray(start * pictureSize(pictures), end * pictureSize(pictures)),
    labels: pictures.labels?.subarray(start, end) ?? null,
  })
  return { training: from(0, at), validation: from(at, pictures.count) }
}
