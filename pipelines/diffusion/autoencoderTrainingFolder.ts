/** Training an autoencoder in a folder: a new run, or where its last checkpoint left it. */
import type * as t from 'io-ts'
import type { Observable } from 'rxjs'
import { AutoencoderTrainingOptions } from '../../src/codec/autoencoderTraining.ts'
import { oneOf } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import { folderSource } from '../folder.ts'
import { trainingUnder } from '../presets.ts'
import { openRunFolder, runInFolder } from '../runFolder.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import { autoencoderFiles, readAutoencoder } from './autoencoderFolder.ts'
import { type AutoencoderPresetName, autoencoderConfig, autoencoderPresets } from './autoencoderPresets.ts'
import { heldOut, type PictureRunGiven, pictureIdentity, pictureRecord, resumedPictures } from './pictureRecord.ts'
import { type Reconstruction, type VaeRun, vaeRun } from './vaeRun.ts'

export interface AutoencoderTrainingFolderOptions extends Pick<PictureRunGiven, 'out' | 'pictures' | 'engine'> {
  /** The run's own when it goes on, else `digits`, unless given. */
  readonly preset?: AutoencoderPresetName | null
  /** Training options by name, undecoded; errors name their flags. */
  readonly own?: Readonly<Record<string, unknown>>
  /** Go on from the last checkpoint, where there is one; false unless given. */
  readonly resume?: boolean
}

export const AutoencoderPresetNameCodec = oneOf('digits', 'tiny')

const AutoencoderRecord = pictureRecord(AutoencoderPresetNameCodec, AutoencoderTrainingOptions)
type AutoencoderRecord = t.TypeOf<typeof AutoencoderRecord>

/** Everything that `trainAutoencoderInFolder` runs. */
export interface AutoencoderTrainingFolder {
  readonly out: string
  readonly run: VaeRun
  readonly identity: Omit<AutoencoderRecord, 'optimizer'>
  /** Why a resumed run goes on, but not bit for bit (law L11); null where it does. */
  readonly inexact: string | null
}

type Given = Required<AutoencoderTrainingFolderOptions>

/** Prepares a run and its folder. See `openRunFolder`. */
export const autoencoderTrainingFolder = async ({
  preset = null,
  own = {},
  resume = false,
  ...rest
}: AutoencoderTrainingFolderOptions): Promise<AutoencoderTrainingFolder> => {
  const given = { ...rest, preset, own, resume }
  return openRunFolder(
    'an autoencoder',
    given,
    () => begun(given),
    checkpoint => resumed(given, checkpoint),
  )
}

const begun = (given: Given): AutoencoderTrainingFolder => {
  const { out, pictures, engine, own } = given
  const preset = given.preset ?? 'digits'
  const options = trainingUnder(AutoencoderTrainingOptions, autoencoderPresets[preset].training, own, flagName)
  const config = autoencoderConfig(autoencoderPresets[preset], pictures)
  const run = { engine, config, options, ...heldOut(pictures, options.validation), from: null }
  return { out, identity: { preset, options, ...pictureIdentity(given) }, inexact: null, run }
}

const resumed = (given: Given, checkpoint: string): AutoencoderTrainingFolder => {
  const { out, pictures, engine } = given
  const { latest, options, inexact } = resumedPictures(given, AutoencoderRecord, AutoencoderTrainingOptions)
  const { config } = readAutoencoder(folderSource(checkpoint))
  const { step, tensors, optimizer, state } = latest
  const from: Snapshot = { step, parameters: tensors, optimizer: { tensors: optimizer, plain: state.optimizer } }
  const run = { engine, config, options, ...heldOut(pictures, options.validation), from }
  return { out, identity: { ...state, options, backend: engine.backend }, inexact, run }
}

/** Runs the training; each checkpoint also opens as an autoencoder. See `runInFolder`. Law L11. */
export const trainAutoencoderInFolder = ({
  out,
  run,
  identity,
}: AutoencoderTrainingFolder): Observable<RunStep<Reconstruction>> =>
  runInFolder({
    out,
    steps$: vaeRun(run),
    from: run.from,
    codec: AutoencoderRecord,
    checkpointOf: ({ step, parameters, optimizer }: Snapshot) => ({
      step,
      tensors: parameters,
      optimizer: optimizer.tensors,
      state: { ...identity, optimizer: optimizer.plain },
    }),
    keep: run.options.keep,
    files: autoencoderFiles({ config: run.config, tensors: new Map() }),
    modelOf: ({ parameters }) => autoencoderFiles({ config: run.config, tensors: parameters }),
  })
