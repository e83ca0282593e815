import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nonEmptyText } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import { convertLlama2c } from '../convertLlama2c.ts'
import { type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'

const ConvertFlags = t.type({ out: nonEmptyText })

/** `fluxion convert llama2c <model.bin> <tokenizer.bin>`: models of other programs as Hugging Face folders. */
export const addConvert = (program: Command, io: Io): void => {
  const convert = program.command('convert').description('Make a Hugging Face folder of a model of another program.')
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
