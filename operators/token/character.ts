/**
 * The character tokenizer: one token a code point. Source: nanoGPT `data/shakespeare_char/prepare.py`.
 * Laws: T1 on texts of its characters, T2, T4, T8, T9.
 */
import { InputError } from '../../src/errors.ts'
import { defineTokenizer } from './defineTokenizer.ts'
import { type CharacterModel, specialToken } from './model.ts'
import type { Tokenizer } from './tokenizer.ts'
import { utf8Bytes, wellFormed } from './utf8.ts'

export const characterTokenizer = (model: CharacterModel): Tokenizer => {
  const bytes: (Uint8Array | undefined)[] = []
  for (const [character, id] of model.tokens) bytes[id] = utf8Bytes(character)
  return defineTokenizer({
    model,
    bytes,
    encodeSegment: (segment, out) => {
      out.reserve(segment.length)
      for (const character of segment) {
        const id = model.tokens.get(wellFormed(character)) ?? model.unknownId
        if (id === null) {
          throw new InputError(
            `the tokenizer has no character ${JSON.stringify(character)}, only ${model.tokens.size} others`,
          )
        }
        out.push(id)
      }
    },
  })
}

export interface CharacterOptions {
  /** Spelling of the token for characters that are not in the text; without it they are errors. */
  readonly unknown?: string
  /** Spelling of the token that ends a text. */
  readonly end?: string
}

/** The characters of a text in the order of their code points, from id 0 on, then the special tokens. */
export const trainCharacterTokenizer = (
  chunks: Iterable<string>,
  { unknown, end }: CharacterOptions = {},
): Tokenizer => {
  const seen = new Set<number>()
  // A pair of surrogates may be cut by the end of a chunk.
  let rest = ''
  for (const chunk of chunks) {
    const text = rest + chunk
    rest = /[\ud800-\udbff]$/.exec(text)?.[0] ?? ''
    for (const character of wellFormed(text.slice(0, text.length - rest.length)))
      seen.add(character.codePointAt(0) ?? 0)
  }
  if (rest !== '') seen.add(0xfffd)
  if (seen.size === 0) throw new InputError('a character tokenizer needs text, found none')
  const sorted = [...seen].sort((a, b) => a - b)
  const names = [unknown, end].filter(name => name !== undefined)
  const added = names.map((name, i) => specialToken(sorted.length + i, name))
  return characterTokenizer({
    kind: 'character',
    tokens: new Map(sorted.map((codePoint, id) => [String.fromCodePoint(codePoint), id])),
    unknownId: unknown === undefined ? null : sorted.length,
    added,
    prefix: [],
    suffix: [],
    endId: end === undefined ? null : sorted.length + names.length - 1,
  })
}
