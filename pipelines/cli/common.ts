/** Flags that every command takes, and how flags become options. */
import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { boolean, nullable, oneOf, seed, withDefault } from '../../src/codec/fields.ts'
import { flagName, fromText } from '../../src/codec/flag.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { engineNames } from '../../src/engine/open.ts'
import { openEngine } from '../openEngine.ts'
import type { Io } from './io.ts'
import { type Printer, printer } from './printer.ts'

/** Flags as commander gives them: text, true, or a list of texts, by option name. */
export type Flags = Readonly<Record<string, unknown>>

const CommonFlags = t.type({
  json: withDefault(boolean, false),
  seed: nullable(fromText(seed)),
  engine: withDefault(oneOf(...engineNames), 'auto'),
})

/** Adds the flags of every command. */
export const withCommonFlags = (command: Command): Command =>
  command
    .option('--json', 'print one JSON object a line')
    .option('--seed <integer>', 'everything random is a function of it')
    .option('--engine <name>', `what computes: ${engineNames.join(', ')} (default: auto)`)

/** Adds a flag for each option, in the order of the help texts. */
export const withFlags = (command: Command, help: Readonly<Record<string, string>>): Command => {
  for (const [name, text] of Object.entries(help)) command.option(`${flagName([name])} <number>`, text)
  return command
}

/** Only the flags of these names that were given. */
export const given = (flags: Flags, names: Iterable<string>): Flags =>
  Object.fromEntries([...names].flatMap(name => (flags[name] === undefined ? [] : [[name, flags[name]]])))

export const printerOf = (flags: Flags, io: Io): Printer =>
  printer(io, decodeOrThrow(CommonFlags, flags, flagName).json)

/** The engine that a command computes on, and the sentence that says which one and why: for when all input has proved right. */
export const engineOf = async (flags: Flags): Promise<{ readonly engine: Engine; readonly why: string }> => {
  const { engine, reason } = await openEngine(decodeOrThrow(CommonFlags, flags, flagName).engine)
  return { engine, why: `engine ${engine.name} (${engine.backend}): ${reason}` }
}
