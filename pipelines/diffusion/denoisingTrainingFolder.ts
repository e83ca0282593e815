/** Training a diffusion model in a folder: a new run, or where its last checkpoint left it. */
import type * as t from 'io-ts'
import type { Observable } from 'rxjs'
import { DenoisingTrainingOptions } from '../../src/codec/denoisingTraining.ts'
import { oneOf } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import type { HostTensor, HostTensors } from '../../src/format/hostTensor.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { folderSource } from '../folder.ts'
import { trainingUnder } from '../presets.ts'
import { openRunFolder, runInFolder } from '../runFolder.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import type { Frame } from './denoise.ts'
import { readDenoiser } from './denoisingFiles.ts'
import { denoiserFiles } from './denoisingFolder.ts'
import { type DenoisingPresetName, denoisingConfig, denoisingPresets } from './denoisingPresets.ts'
import { type DenoisingRun, denoisingRun } from './denoisingRun.ts'
import { heldOut, type PictureRunGiven, pictureIdentity, pictureRecord, resumedPictures } from './pictureRecord.ts'
import { AVERAGE, averagesOf, under } from './trainDenoiser.ts'

export interface DenoisingTrainingFolderOptions extends Pick<PictureRunGiven, 'out' | 'pictures' | 'engine'> {
  /** The run's own when it goes on, else `digits`, unless given. */
  readonly preset?: DenoisingPresetName | null
  /** Training options by name, undecoded; errors name their flags. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Go on from the last checkpoint, where there is one; false unless given. */
  readonly resume?: boolean
}

export const DenoisingPresetNameCodec = oneOf('digits', 'digits-flow', 'digits-dit', 'tiny')

const DenoisingRecord = pictureRecord(DenoisingPresetNameCodec, DenoisingTrainingOptions)
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

const begun = (given: Given): DenoisingTrainingFolder => {
  const { out, pictures, engine, own } = given
  const preset = given.preset ?? 'digits'
  const options = trainingUnder(DenoisingTrainingOptions, denoisingPresets[preset].training, own, flagName)
  const config = denoisingConfig(denoisingPresets[preset], pictures)
  const run = { engine, config, options, ...heldOut(pictures, options.validation), from: null }
  return { out, identity: { preset, options, ...pictureIdentity(given) }, inexact: null, run }
}

const resumed = (given: Given, checkpoint: string): DenoisingTrainingFolder => {
  const { out, pictures, engine } = given
  const { latest, options, inexact } = resumedPictures(given, DenoisingRecord, DenoisingTrainingOptions)
  const { config } = readDenoiser(folderSource(checkpoint))
  const run = { engine, config, options, ...heldOut(pictures, options.validation), from: snapshotIn(latest) }
  return { out, identity: { ...latest.state, options, backend: engine.backend }, inexact, run }
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
