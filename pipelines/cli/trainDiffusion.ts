import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { pictureSizeOf } from '../../src/codec/denoising.ts'
import { denoisingTrainingFields } from '../../src/codec/denoisingTraining.ts'
import { boolean, nonEmptyText, nullable, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { pictureSide } from '../../src/codec/picture.ts'
import { readAutoencoder } from '../diffusion/autoencoderFolder.ts'
import { captionsOf } from '../diffusion/captions.ts'
import type { Frame } from '../diffusion/denoise.ts'
import { denoisingPresets } from '../diffusion/denoisingPresets.ts'
import {
  DenoisingPresetNameCodec,
  denoisingTrainingFolder,
  trainDenoiserInFolder,
} from '../diffusion/denoisingTrainingFolder.ts'
import { folderSource } from '../folder.ts'
import { readCaptions } from '../readCaptions.ts'
import { readPictures } from '../readPictures.ts'
import { engineOf, type Flags, given, printerOf, withCommonFlags, withFlags } from './common.ts'
import { followTraining } from './followTraining.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { picturesOf, writeGrid } from './pictureFiles.ts'
import { runHelp } from './trainFlags.ts'

const help = {
  ...runHelp,
  batch: 'pictures a batch (64)',
  averageDecay: 'decay of the averaged weights, which are those that are kept (0.999)',
  sampleEvery: 'steps between samples, one of each class, in the folder samples of --out; 0 never (0)',
  dropLabels: 'part of the classes not told, so that guidance works (0.1)',
} as const satisfies Readonly<
  Record<Exclude<keyof typeof denoisingTrainingFields, 'seed' | 'flip' | 'weighting'>, string>
>

const TrainFlags = t.type({
  out: nonEmptyText,
  preset: nullable(DenoisingPresetNameCodec),
  latent: nullable(nonEmptyText),
  /** True is the classes' names in words. */
  captions: nullable(t.union([nonEmptyText, t.literal(true)], 'a file')),
  learnSigma: withDefault(boolean, false),
  resume: withDefault(boolean, false),
  size: nullable(fromText(pictureSide)),
})

export const DATA =
  'a folder of MNIST or CIFAR-10 files, or of PNG pictures, those of each class in a folder; or one such file'

export const SIZE = 'side of the squares that pictures are cut to about their middle, shrunk or enlarged (as they are)'

/** Side of the square that a pixel becomes in samples. */
const ZOOM = 2

const run = async (data: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { latent: coder, captions: texts, size, ...asked } = decodeOrThrow(TrainFlags, flags, flagName)
  const own = given(flags, Object.keys(denoisingTrainingFields))
  const pictures = readPictures(data, size)
  const latent = coder === null ? null : readAutoencoder(folderSource(modelPath(coder)))
  const { classes } = pictures
  const captions = texts === null ? null : texts === true ? captionsOf(classes) : readCaptions(texts, classes)
  const { engine, why } = await engineOf(flags)
  const folder = await denoisingTrainingFolder({ ...asked, latent, captions, own, pictures, engine })
  const steps$ = trainDenoiserInFolder(folder)
  say.note(why)
  const drawn = pictureSizeOf(folder.run.config)
  const write = (path: string, { sample, shape: [count = 0] }: Frame): void =>
    writeGrid(path, picturesOf(sample, drawn, count), Math.min(count, 10), ZOOM)
  await followTraining(steps$, folder, write, say, io)
}

/** `fluxion train-diffusion <data> --out <folder>`: pictures in, a diffusion model's folder out. */
export const addTrainDiffusion = (program: Command, io: Io): void => {
  const command = program
    .command('train-diffusion')
    .description(
      'Train a diffusion model on pictures. Ctrl-C keeps the last checkpoint; the same command with --resume goes on from it.',
    )
    .argument('<data>', DATA)
    .requiredOption('--out <folder>', 'where checkpoints and the model go')
    .option('--preset <name>', `${Object.keys(denoisingPresets).join(', ')} (default: digits)`)
    .option(
      '--latent <folder>',
      'of `train-autoencoder`: diffuse its latents; a copy of it goes to --out (preset: latent)',
    )
    .option(
      '--captions [file.json]',
      'tell the model texts, not classes: those of a file, { "class": ["text", …], … }; else the names of the classes, as "a seven"',
    )
    .option('--weighting <name>', 'what a noise level counts: simple, snr, truncatedSnr, minSnr (simple)')
    .option('--learn-sigma', 'learn the variance of reverse steps too, which the sampler ddpm takes')
    .option('--flip', 'turn pictures left to right at random')
    .option('--size <pixels>', SIZE)
    .option('--resume', 'go on from the last checkpoint, exactly as if never stopped')
    .addHelpText('after', '\nA preset has its own values; those in brackets hold where it has none.')
  withCommonFlags(withFlags(command, help)).action((data: string, flags: Flags) => run(data, flags, io))
}
