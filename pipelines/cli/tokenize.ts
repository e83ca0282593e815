import type { Command } from 'commander'
import * as t from 'io-ts'
import { decodeOrThrow, orThrow } from '../../src/codec/decode.ts'
import { nonEmptyText } from '../../src/codec/fields.ts'
import { flagName } from '../../src/codec/flag.ts'
import { utf8 } from '../../src/codec/json.ts'
import { readBytes } from '../files.ts'
import { openTokenizer } from '../tokenizerFiles.ts'
import { type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { grouped } from './printer.ts'

const TokenizeFlags = t.type({ tokenizer: nonEmptyText })

const run = async (file: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const tokenizer = await openTokenizer(modelPath(decodeOrThrow(TokenizeFlags, flags, flagName).tokenizer))
  const bytes = readBytes(file)
  const ids = Array.from(tokenizer.encode(orThrow(utf8(bytes, file))))
  say.result({ ids }, `${ids.join(' ')}\n`)
  say.note(`${grouped(ids.length)} tokens of ${grouped(bytes.length)} bytes`)
}

/** `fluxion tokenize <file>`: the ids of a text. */
export const addTokenize = (program: Command, io: Io): void => {
  const command = program
    .command('tokenize')
    .description('Print the token ids of a text. No token is put around it, and special tokens are plain text.')
    .argument('<file>', 'UTF-8 text')
    .requiredOption('--tokenizer <path>', 'a model folder, tokenizer.json, *.tiktoken or a tokenizer.bin of llama2.c')
  withCommonFlags(command).action((file: string, flags: Flags) => run(file, flags, io))
}
