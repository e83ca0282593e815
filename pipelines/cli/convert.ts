import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nonEmptyText, oneOf } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import { convertLlama2c } from '../convertLlama2c.ts'
import { convertPrecision, precisions } from '../convertPrecision.ts'
import { type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'

const ConvertFlags = t.type({ out: nonEmptyText })
const PrecisionFlags = t.type({ out: nonEmptyText, to: oneOf(...precisions) })

const addLlama2c = (convert: Command, io: Io): void => {
  const command = convert
    .command('llama2c')
    .description("A model of karpathy's llama2.c, for instance stories260K.")
    .argument('<model.bin>', 'the checkpoint (version 0, f32)')
    .argument('<tokenizer.bin>', 'its tokenizer')
    .requiredOption('--out <folder>', 'where the model goes')
  withCommonFlags(command).action(async (model: string, tokenizer: string, flags: Flags) => {
    const say = printerOf(flags, io)
    const { out } = decodeOrThrow(ConvertFlags, flags, flagName)
    const {
      num_hidden_layers: layers,
      hidden_size: width,
      vocab_size: vocabulary,
    } = await convertLlama2c(model, tokenizer, out)
    say.result(
      { out, layers, width, vocabulary },
      `${out}: llama, ${layers} layers, ${width} wide, ${vocabulary} tokens\n`,
    )
  })
}

const addPrecision = (convert: Command, io: Io): void => {
  const command = convert
    .command('precision')
    .description('The same model with its weights stored in another precision.')
    .argument('<folder>', 'a Hugging Face folder, or one that `train`, `train-diffusion` or `train-autoencoder` writes')
    .requiredOption('--to <type>', precisions.join(', '))
    .requiredOption('--out <folder>', 'where the model goes')
  withCommonFlags(command).action((folder: string, flags: Flags) => {
    const say = printerOf(flags, io)
    const { out, to } = decodeOrThrow(PrecisionFlags, flags, flagName)
    const bytes = convertPrecision(modelPath(folder), to, out)
    say.result({ out, precision: to, bytes }, `${out}: ${to}, ${(bytes / 1e6).toFixed(1)} MB of weights\n`)
  })
}

/** `fluxion convert llama2c | precision`: models of other programs, and other forms of our own, as Hugging Face folders. */
export const addConvert = (program: Command, io: Io): void => {
  const convert = program.command('convert').description('Make a Hugging Face folder of a model in another form.')
  addLlama2c(convert, io)
  addPrecision(convert, io)
}
