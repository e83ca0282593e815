/** Vocabularies as JSON objects from token to id (`vocab.json`, `encoder.json`, `tokenizer.json`) and lists of merges. */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { decodeOrThrow, orThrow } from '../codec/decode.ts'
import { dictionary, integerIn } from '../codec/fields.ts'
import { parseJson } from '../codec/json.ts'
import { InputError } from '../errors.ts'

/** Ids take 21 bits here: a table by id stays small, and a pair of ids is an exact number. */
export const tokenId = integerIn('a token id from 0 to 2097151', n => n >= 0 && n < 2 ** 21)

export const vocabulary = dictionary('an object from token to id', tokenId)

/** The vocabulary with its tokens by id; equal ids are an InputError. */
export const byId = (tokens: ReadonlyMap<string, number>, where: string): (string | undefined)[] => {
  const list: (string | undefined)[] = []
  for (const [token, id] of tokens) {
    if (list[id] !== undefined) {
      throw new InputError(
        `${where}: expected one token for each id, found ${JSON.stringify(list[id])} and ${JSON.stringify(token)} for ${id}`,
      )
    }
    list[id] = token
  }
  if (list.length === 0) throw new InputError(`${where}: expected tokens, found none`)
  return list
}

/** `vocab.json` or `encoder.json`. */
export const parseVocabulary = (source: Uint8Array, where: string): ReadonlyMap<string, number> =>
  decodeOrThrow(vocabulary, orThrow(parseJson(source, where)), where)

/** Two tokens, neither with a space in it in the older form "a b". */
export type TokenPair = readonly [string, string]

/** A merge of `tokenizer.json`: "a b", or since 2024 ["a", "b"]. */
export const tokenPair: t.Type<TokenPair, TokenPair, unknown> = new t.Type<TokenPair, TokenPair, unknown>(
  'two tokens',
  (value): value is TokenPair => t.tuple([t.string, t.string]).is(value),
  (input, context) => {
    const parts: unknown = typeof input === 'string' ? input.split(' ') : input
    const pair = t.tuple([t.string, t.string]).decode(parts)
    return E.isRight(pair) ? t.success(pair.right) : t.failure(input, context)
  },
  t.identity,
)

/** `merges.txt` or `vocab.bpe`: after a line that may begin with `#version`, one merge a line. */
export const parseMergeLines = (text: string, where: string): TokenPair[] => {
  const pairs: TokenPair[] = []
  text.split('\n').forEach((line, index) => {
    const content = line.replace(/\r$/, '')
    if (content === '' || (index === 0 && content.startsWith('#version'))) return
    const parts = content.split(' ')
    if (parts.length !== 2 || parts[0] === '' || parts[1] === '') {
      throw new InputError(
        `${where}: line ${index + 1}: expected two tokens with a space between, found ${JSON.stringify(content.slice(0, 60))}`,
      )
    }
    pairs.push([parts[0], parts[1]])
  })
  return pairs
}
