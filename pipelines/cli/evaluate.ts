import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nullable, positiveInteger } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { openModel } from '../folder.ts'
import { readText } from '../readText.ts'
import { engineOf, type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { grouped } from './printer.ts'
import { scoreText, windowsOf } from './scoreText.ts'

const EvaluateFlags = t.type({ block: nullable(fromText(positiveInteger)) })

const run = async (folder: string, file: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { block: asked } = decodeOrThrow(EvaluateFlags, flags, flagName)
  const text = readText(file)
  const { engine, why } = await engineOf(flags)
  const opened = await openModel(modelPath(folder), engine)
  say.note(why)
  const windows = windowsOf(opened, text, file, asked)
  const { bytes, block } = windows
  const { tokens, loss, perplexity } = await scoreText(opened, windows, io)
  const bitsPerByte = (loss * tokens) / Math.LN2 / bytes
  say.result(
    { tokens, bytes, loss, perplexity, bitsPerByte },
    `loss ${loss.toFixed(4)} nats a token, perplexity ${perplexity.toFixed(3)}, ${bitsPerByte.toFixed(4)} bits a byte\n`,
  )
  say.note(`${grouped(tokens)} tokens in windows of ${block}, each without what came before it`)
}

/** `fluxion evaluate <folder> <text>`: how well a model predicts a text. */
export const addEvaluate = (program: Command, io: Io): void => {
  const command = program
    .command('evaluate')
    .description(
      "A model's loss, perplexity and bits a byte on a text, in windows side by side; an incomplete last one is left out.",
    )
    .argument('<folder>', 'a model folder')
    .argument('<text>', 'a UTF-8 text file')
    .option('--block <tokens>', "tokens a window (default: the model's context)")
  withCommonFlags(command).action((folder: string, file: string, flags: Flags) => run(folder, file, flags, io))
}
