import type { Command } from 'commander'
import type { ModelKind } from '../../src/codec/kind.ts'
import { folderSource } from '../folder.ts'
import { modelKind } from '../modelFiles.ts'
import { type Flags, printerOf, withCommonFlags } from './common.ts'
import { inspectAutoencoder } from './inspectAutoencoder.ts'
import { inspectDiffusionModel } from './inspectDiffusionModel.ts'
import { inspectLanguageModel } from './inspectLanguageModel.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import type { Printer } from './printer.ts'

const inspectors: Readonly<Record<ModelKind, (folder: string, flags: Flags, say: Printer) => Promise<void>>> = {
  'a language model': inspectLanguageModel,
  'a diffusion model': inspectDiffusionModel,
  'an autoencoder': inspectAutoencoder,
}

const run = (given: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const folder = modelPath(given)
  return inspectors[modelKind(folderSource(folder))](folder, flags, say)
}

const fields = `
Fields of --json, of a language model:
  model, types               architecture; types that numbers are stored as
  parameters, tensors        numbers in all; name, shape and elements of each tensor
  vocabulary, context        tokens; positions
  flops, bytes               a token's operations, and bytes that kernels read and write: decodeFirst and decodeLast (one step at the first and
                             the last position), prefill (a token of a prompt of full context), train (a token of a training sequence)
  memory                     bytes: parameters, cache (full context), decode and train (most at once)
  engine                     name, backend
  measured                   for one thread and for all: threads; flopsPerSecond and bytesPerSecond, the ceilings: what this engine's own matmul of
                             512 and a matrix as large as the model times a row reach here, at best; decode and prefill, each with position,
                             tokens, flops, bytes, predictedMilliseconds (what the ceilings allow) and milliseconds (the median)
Of a diffusion model:
  model, types, parameters, tensors, engine: as above
  prediction, schedule       what the network predicts, of pictures how noisy
  picture, classes           channels, height and width; names
  flops, bytes, memory       of one picture: denoise (the network once) and train; memory also parameters
  measured                   threads and ceilings as above; denoise: for 1 and for 16 pictures, flops, bytes and times as above
Of an autoencoder:
  model, types, parameters, tensors, engine, picture: as above
  latent                     channels, height and width of what it keeps
  flops, bytes, memory       of one picture: encode, decode and train; memory also parameters
  measured                   threads and ceilings as above; encode and decode: as denoise above`

/** `fluxion inspect <folder>`: what a model is and costs. */
export const addInspect = (program: Command, io: Io): void => {
  const command = program
    .command('inspect')
    .description(
      "A model's parameters, shapes, FLOPs and bytes a token or picture, memory; times predicted from what the engine's matmul and matrix times row reach on this machine, beside measured ones.",
    )
    .argument('<folder>', 'a model folder')
    .option('--no-measure', 'only what needs no computing')
    .addHelpText('after', fields)
  withCommonFlags(command).action((folder: string, flags: Flags) => run(folder, flags, io))
}
