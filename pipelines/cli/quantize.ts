import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nonEmptyText, nullable, oneOf, positiveInteger, seed, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { InputError } from '../../src/errors.ts'
import { tensorsOf } from '../../src/tensor/scope.ts'
import { openModel, readConfig } from '../folder.ts'
import { modelOf } from '../model.ts'
import type { OpenedModel } from '../modelFiles.ts'
import { weightTypes } from '../quantize.ts'
import { quantizeFolder } from '../quantizeFolder.ts'
import { readText } from '../readText.ts'
import { engineOf, type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { type OwnTextOptions, ownText } from './ownText.ts'
import { grouped, type Printer } from './printer.ts'
import { expectBlock, type Scored, scoreText, windowsOf } from './scoreText.ts'

const QuantizeFlags = t.type({
  to: oneOf(...weightTypes),
  out: nullable(nonEmptyText),
  text: nullable(nonEmptyText),
  block: nullable(fromText(positiveInteger)),
  seed: withDefault(fromText(seed), 0),
})

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** Beside the folder, its name with the type behind it. */
const besideOf = (folder: string, to: string): string => join(folder, '..', `${basename(resolve(folder))}-${to}`)

/** What both models are evaluated on: the file's text or, without one, text that the model writes; null where none begins by itself. */
const textOf = async (
  opened: OpenedModel,
  given: { readonly file: string; readonly text: string } | null,
  options: OwnTextOptions,
  { io, say }: { readonly io: Io; readonly say: Printer },
): Promise<Scored | null> => {
  if (given !== null) return windowsOf(opened, given.text, given.file, options.block)
  try {
    return await ownText(opened, options, io)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    say.note(`no perplexity without --text: ${error.message}`)
    return null
  }
}

const run = async (folder: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { to, out: given, text: file, block, seed } = decodeOrThrow(QuantizeFlags, flags, flagName)
  const out = given ?? besideOf(folder, to)
  if (existsSync(out)) throw new InputError(`--out: expected a folder that is not there yet, found ${out}`)
  const text = file === null ? null : { file, text: readText(file) }
  const from = modelPath(folder)
  expectBlock(block, modelOf(readConfig(from)).positions)
  const bytes = quantizeFolder(from, to, out)
  say.text(`${out}: ${to}, weights of ${megabytes(bytes.before)} in ${megabytes(bytes.after)}\n`)

  const { engine, why } = await engineOf(flags)
  say.note(why)
  const opening = async <T>(path: string, use: (opened: OpenedModel) => Promise<T>): Promise<T> => {
    const opened = await openModel(path, engine)
    const result = await use(opened)
    for (const x of tensorsOf(opened.parameters)) x.release()
    return result
  }
  const before = await opening(from, async opened => {
    const scored = await textOf(opened, text, { block, seed }, { io, say })
    return scored && { scored, was: await scoreText(opened, scored, io) }
  })
  if (before === null) return say.result({ out, to, bytes }, '')
  const { scored, was } = before
  const is = await opening(out, opened => scoreText(opened, scored, io))
  const difference = is.perplexity - was.perplexity
  const on = `${grouped(is.tokens)} tokens of ${file ?? 'its own text'}`
  say.result(
    {
      ...{ out, to, bytes, text: file ?? 'own', tokens: is.tokens },
      loss: { before: was.loss, after: is.loss },
      perplexity: { before: was.perplexity, after: is.perplexity, difference },
    },
    `perplexity ${was.perplexity.toFixed(3)} before, ${is.perplexity.toFixed(3)} after: ${difference < 0 ? '' : '+'}${difference.toFixed(4)}, on ${on}\n`,
  )
  say.note(
    file === null
      ? `${scored.tokens / scored.block} texts of ${scored.block} tokens, drawn by the weights before with seed ${seed}`
      : `in windows of ${scored.block}, each without what came before it`,
  )
}

/** `fluxion quantize <folder>`: a model in fewer bits, and what that costs. */
export const addQuantize = (program: Command, io: Io): void => {
  const command = program
    .command('quantize')
    .description('The same model with the weights of its products in fewer bits, and the perplexity that it costs.')
    .argument('<folder>', 'a model folder')
    .requiredOption('--to <type>', `${weightTypes.join(' or ')}: blocks of 8 bits with a scale, or 16-bit floats`)
    .option('--out <folder>', 'where the model goes; must not exist (default: beside it, <folder>-<type>)')
    .option('--text <file>', 'a UTF-8 text file to evaluate both models on (default: text that the model writes)')
    .option(
      '--block <tokens>',
      "tokens a window of the text (default: the model's context; of its own text 256 at most)",
    )
  withCommonFlags(command).action((folder: string, flags: Flags) => run(folder, flags, io))
}
