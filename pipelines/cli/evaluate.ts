import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nullable, positiveInteger } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { InputError } from '../../src/errors.ts'
import { progress } from '../../streams/index.ts'
import { type Evaluation, evaluate } from '../evaluate.ts'
import { openModel } from '../folder.ts'
import { everyLogits } from '../languageModel.ts'
import { readText } from '../readText.ts'
import { engineOf, type Flags, printerOf, withCommonFlags } from './common.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { grouped } from './printer.ts'
import { progressBar } from './progressBar.ts'

const EvaluateFlags = t.type({ block: nullable(fromText(positiveInteger)) })
/** Tokens of one batch, about. */
const BATCH_TOKENS = 4096

const run = async (folder: string, file: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { block: asked } = decodeOrThrow(EvaluateFlags, flags, flagName)
  const text = readText(file)
  const { engine, why } = await engineOf(flags)
  const { model, parameters, tokenizer } = await openModel(modelPath(folder), engine)
  if (asked !== null && asked > model.positions)
    throw new InputError(`--block: expected at most the model's context of ${model.positions}, found ${asked}`)
  const ids = tokenizer.encode(text)
  if (ids.length < 2) throw new InputError(`${file}: expected at least 2 tokens, found ${ids.length}`)

  say.note(why)

  const block = Math.min(asked ?? model.positions, ids.length - 1)
  const windows = { batch: Math.max(1, Math.floor(BATCH_TOKENS / block)), block }
  const total = Math.floor((ids.length - 1) / block) * block
  let done = 0
  const amount = ({ tokens }: Evaluation): number => {
    const more = tokens - done
    done = tokens
    return more
  }
  const evaluation$ = evaluate(everyLogits(model), parameters, ids, windows)
  const last = await consume(evaluation$.pipe(progress({ amount, total }), progressBar(io, 0, total)), io)
  if (last === null) throw new InputError(`${file}: expected more tokens`)
  const { tokens, loss, perplexity } = last.value
  const bytes = tokenizer.decodeBytes(ids.subarray(1, 1 + tokens)).length
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
