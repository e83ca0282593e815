/**
 * A tokenizer from its files, told by their names: `tokenizer.json` (with `tokenizer_config.json` where it is given), `encoder.json` and
 * `vocab.bpe` or `vocab.json` and `merges.txt` (GPT-2), `*.tiktoken`, `*.bin` (llama2.c).
 */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { orThrow } from '../../src/codec/decode.ts'
import { parseJson, utf8 } from '../../src/codec/json.ts'
import { InputError } from '../../src/errors.ts'
import { openGpt2 } from './openGpt2.ts'
import { openLlama2c } from './openLlama2c.ts'
import { openTiktoken } from './openTiktoken.ts'
import { openTokenizerJson } from './openTokenizerJson.ts'
import type { Tokenizer } from './tokenizer.ts'

export interface TokenizerFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Names of files in a folder that `loadTokenizer` reads, the sets in order of preference. */
export const tokenizerFileNames = [
  ['tokenizer.json', 'tokenizer_config.json'],
  ['encoder.json', 'vocab.bpe'],
  ['vocab.json', 'merges.txt'],
] as const

/** `eos_token` is a string, or an object with its content. */
const endTokenOf = (config: TokenizerFile): string | null => {
  const decoded = t
    .partial({ eos_token: t.union([t.string, t.null, t.type({ content: t.string })]) })
    .decode(orThrow(parseJson(config.bytes, config.name)))
  if (E.isLeft(decoded)) throw new InputError(`${config.name}: eos_token: expected a string or an added token`)
  const { eos_token } = decoded.right
  return typeof eos_token === 'string' ? eos_token : (eos_token?.content ?? null)
}

/** Throws an InputError that names the file and the field where they are not a supported tokenizer. */
export const loadTokenizer = (files: readonly TokenizerFile[]): Tokenizer => {
  const named = (name: string) => files.find(file => file.name === name || file.name.endsWith(`/${name}`))
  const ending = (end: string) => files.find(file => file.name.endsWith(end))
  const text = (file: TokenizerFile) => orThrow(utf8(file.bytes, file.name))

  const json = named('tokenizer.json')
  const config = named('tokenizer_config.json')
  if (json !== undefined) {
    return openTokenizerJson(json.bytes, json.name, config === undefined ? null : endTokenOf(config))
  }
  const vocabulary = named('encoder.json') ?? named('vocab.json')
  const merges = named('vocab.bpe') ?? named('merges.txt')
  if (vocabulary !== undefined && merges !== undefined) {
    return openGpt2(vocabulary.bytes, text(merges), [vocabulary.name, merges.name])
  }
  const tiktoken = ending('.tiktoken')
  if (tiktoken !== undefined) return openTiktoken(text(tiktoken), tiktoken.name)
  const binary = ending('.bin')
  if (binary !== undefined) return openLlama2c(binary.bytes, binary.name)
  const single = ending('.json')
  if (single !== undefined && files.length === 1) return openTokenizerJson(single.bytes, single.name)
  const found = files.length === 0 ? 'none' : files.map(file => file.name).join(', ')
  throw new InputError(
    `expected tokenizer files (tokenizer.json, encoder.json with vocab.bpe, vocab.json with merges.txt, *.tiktoken, *.bin), found ${found}`,
  )
}
