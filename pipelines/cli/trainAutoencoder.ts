import type { Command } from 'commander'
import * as t from 'io-ts'
import { autoencoderTrainingFields } from '../../src/codec/autoencoderTraining.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { boolean, nonEmptyText, nullable, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { pictureSide } from '../../src/codec/picture.ts'
import { autoencoderPresets } from '../diffusion/autoencoderPresets.ts'
import {
  AutoencoderPresetNameCodec,
  autoencoderTrainingFolder,
  trainAutoencoderInFolder,
} from '../diffusion/autoencoderTrainingFolder.ts'
import type { Reconstruction } from '../diffusion/vaeRun.ts'
import { readPictures } from '../readPictures.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { followTraining } from './followTraining.ts'
import type { Io } from './io.ts'
import { picturesOf, writeGrid } from './pictureFiles.ts'
import { DATA, SIZE } from './trainDiffusion.ts'
import { runHelp } from './trainFlags.ts'

const help = {
  ...runHelp,
  batch: 'pictures a batch (48)',
  divergence: 'what a nat costs that a latent says, in squared error of a pixel (2e-5)',
  sampleEvery: 'steps between pictures beside what latents keep of them, in the folder samples of --out; 0 never (0)',
} as const satisfies Readonly<Record<Exclude<keyof typeof autoencoderTrainingFields, 'seed'>, string>>

const TrainFlags = t.type({
  out: nonEmptyText,
  preset: nullable(AutoencoderPresetNameCodec),
  resume: withDefault(boolean, false),
  size: nullable(fromText(pictureSide)),
})

/** Side of the square that a pixel becomes in samples. */
const ZOOM = 2

const run = async (data: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { size, ...asked } = decodeOrThrow(TrainFlags, flags, flagName)
  const own = given(flags, Object.keys(autoencoderTrainingFields))
  const pictures = readPictures(data, size)
  const { engine, why } = await engineOf(flags)
  const folder = await autoencoderTrainingFolder({ ...asked, own, pictures, engine })
  // Pictures above, what latents keep of them below.
  const write = (path: string, { shape: [count = 0], pictures: above, through }: Reconstruction): void =>
    writeGrid(path, picturesOf([...above, ...through], folder.run.config, 2 * count), count, ZOOM)
  say.note(why)
  await followTraining(trainAutoencoderInFolder(folder), folder, write, say, io)
}

/** `fluxion train-autoencoder <data> --out <folder>`: pictures in, an autoencoder's folder out. */
export const addTrainAutoencoder = (program: Command, io: Io): void => {
  const command = program
    .command('train-autoencoder')
    .description(
      'Train a variational autoencoder on pictures, whose latents `train-diffusion --latent` diffuses. Ctrl-C keeps the last checkpoint; the same command with --resume goes on from it.',
    )
    .argument('<data>', DATA)
    .requiredOption('--out <folder>', 'where checkpoints and the model go')
    .option('--preset <name>', `${Object.keys(autoencoderPresets).join(', ')} (default: digits)`)
    .option('--size <pixels>', SIZE)
    .option('--resume', 'go on from the last checkpoint, exactly as if never stopped')
    .addHelpText('after', '\nA preset has its own values; those in brackets hold where it has none.')
  withCommonFlags(withFlags(command, help)).action((data: string, flags: Flags) => run(data, flags, io))
}
