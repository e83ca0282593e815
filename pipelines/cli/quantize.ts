import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { nonEmptyText, nullable, oneOf, positiveInteger } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import { InputError } from '../../src/errors.ts'
import { tensorsOf } from '../../src/tensor/scope.ts'
import { openModel, readConfig } from '../folder.ts'
import { modelOf } from '../model.ts'
import { weightTypes } from '../quantize.ts'
import { quantizeFolder } from '../quantizeFolder.ts'
import { readText } from '../readText.ts'
import { engineOf, type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { grouped } from './printer.ts'
import { expectBlock, type Score, scoreText } from './scoreText.ts'

const QuantizeFlags = t.type({
  to: oneOf(...weightTypes),
  out: nonEmptyText,
  text: nullable(nonEmptyText),
  block: nullable(fromText(positiveInteger)),
})

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

const run = async (folder: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { to, out, text: file, block } = decodeOrThrow(QuantizeFlags, flags, flagName)
  if (existsSync(out)) throw new InputError(`--out: expected a folder that is not there yet, found ${out}`)
  if (file === null && block !== null) throw new InputError('--block: expected --text too, the text to evaluate on')
  const text = file === null ? null : readText(file)
  const from = modelPath(folder)
  expectBlock(block, modelOf(readConfig(from)).positions)
  const { before, after } = quantizeFolder(from, to, out)
  const sizes = `${out}: ${to}, weights of ${megabytes(before)} in ${megabytes(after)}\n`
  if (file === null || text === null) return say.result({ out, to, bytes: { before, after } }, sizes)

  const { engine, why } = await engineOf(flags)
  say.note(why)
  const score = async (path: string): Promise<Score> => {
    const opened = await openModel(path, engine)
    const result = await scoreText(opened, text, file, block, io)
    for (const x of tensorsOf(opened.parameters)) x.release()
    return result
  }
  const [was, is] = [await score(from), await score(out)]
  const difference = is.perplexity - was.perplexity
  const { tokens } = is
  say.result(
    {
      ...{ out, to, bytes: { before, after }, tokens },
      loss: { before: was.loss, after: is.loss },
      perplexity: { before: was.perplexity, after: is.perplexity, difference },
    },
    `${sizes}perplexity ${was.perplexity.toFixed(3)} before, ${is.perplexity.toFixed(3)} after: ${difference < 0 ? '' : '+'}${difference.toFixed(4)}\n`,
  )
  say.note(`${grouped(tokens)} tokens in windows of ${is.block}, each without what came before it`)
}

/** `fluxion quantize <folder>`: a model in fewer bits, and what that costs. */
export const addQuantize = (program: Command, io: Io): void => {
  const command = program
    .command('quantize')
    .description(
      'The same model with the weights of its products in fewer bits; with --text, the perplexity that it costs.',
    )
    .argument('<folder>', 'a model folder')
    .requiredOption('--to <type>', `${weightTypes.join(' or ')}: blocks of 8 bits with a scale, or 16-bit floats`)
    .requiredOption('--out <folder>', 'where the model goes; must not exist')
    .option('--text <file>', 'a UTF-8 text file to evaluate both models on')
    .option('--block <tokens>', "tokens a window of the text (default: the model's context)")
  withCommonFlags(command).action((folder: string, flags: Flags) => run(folder, flags, io))
}
