import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { EngineError, InputError, NumericError, ShapeError } from '../../src/errors.ts'
import { addConvert } from './convert.ts'
import { addDiffuse } from './diffuse.ts'
import { addEvaluate } from './evaluate.ts'
import { addGenerate } from './generate.ts'
import { addInspect } from './inspect.ts'
import { Interrupted, type Io } from './io.ts'
import { packageFolder } from './modelPath.ts'
import { addQuantize } from './quantize.ts'
import { addTokenize } from './tokenize.ts'
import { addTrain } from './train.ts'
import { addTrainAutoencoder } from './trainAutoencoder.ts'
import { addTrainDiffusion } from './trainDiffusion.ts'

const BAD_INPUT = 2
const BUG = 1

const version = (): string => {
  const path = join(packageFolder(), 'package.json')
  return decodeOrThrow(t.type({ version: t.string }), JSON.parse(readFileSync(path, 'utf8')), path).version
}

/** Errors that a user can act on. */
const actionable: readonly (new (message: string) => Error)[] = [InputError, ShapeError, NumericError, EngineError]

/** commander's message as one line of ours. */
const oneLine = (message: string): string =>
  `fluxion: ${message
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')}\n`

const programOf = (io: Io): Command => {
  const program = new Command('fluxion')
    .description('Functional-reactive dataflow for generative models.')
    .version(version())
    .exitOverride()
    .configureOutput({
      writeOut: text => io.stdout.write(text),
      writeErr: text => io.stderr.write(text),
      outputError: (text, write) => write(oneLine(text)),
    })
  for (const add of [
    addGenerate,
    addTrain,
    addEvaluate,
    addTokenize,
    addConvert,
    addQuantize,
    addInspect,
    addTrainAutoencoder,
    addTrainDiffusion,
    addDiffuse,
  ])
    add(program, io)
  return program
}

/**
 * Runs a command line and returns its exit code: 0, 130 after a signal, 2 where the input is wrong (one line on stderr says what
 * and where), 1 for a bug of ours, with its stack.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  try {
    await programOf(io).parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : BAD_INPUT
    if (error instanceof Error && actionable.some(kind => error instanceof kind)) {
      io.stderr.write(oneLine(error.message))
      return BAD_INPUT
    }
    io.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    return BUG
  }
}
