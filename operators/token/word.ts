/**
 * The word tokenizer: words and runs of punctuation are tokens, `<unk>` stands for all others, `<end>` ends a sequence.
 * "Generating AI is fascinating" is 4 tokens. Decoding puts one space between tokens, so T1 holds up to white space.
 * Source: Hugging Face pre-tokenizer `Whitespace` (`\w+|[^\w\s]+`), model `WordLevel`. Laws: T2, T3, T4, T9.
 */
import { InputError } from '../../src/errors.ts'
import { defineTokenizer } from './defineTokenizer.ts'
import { specialToken, type WordModel } from './model.ts'
import type { Tokenizer } from './tokenizer.ts'
import { utf8Bytes, wellFormed } from './utf8.ts'

// Rust's \w: letters, marks, decimal digits, connectors such as "_", and the two joiners.
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu

/** The words of a text, in order. */
export const words = (text: string): string[] => text.match(WORDS) ?? []

export const wordTokenizer = (model: WordModel): Tokenizer => {
  const bytes: (Uint8Array | undefined)[] = []
  for (const [word, id] of model.tokens) bytes[id] = utf8Bytes(word)
  return defineTokenizer({
    model,
    bytes,
    encodeSegment: (segment, out) => {
      for (const word of words(wellFormed(segment))) out.push(model.tokens.get(word) ?? model.unknownId)
    },
    shown: (previous, _, token) => {
      if (previous === null) return token
      const spaced = new Uint8Array(token.length + 1)
      spaced[0] = 32
      spaced.set(token, 1)
      return spaced
    },
  })
}

export interface WordOptions {
  /** The most frequent words only; all without it. */
  readonly size?: number
}

/** The words of some texts, most frequent first (equals in code unit order), after `<unk>` (0) and `<end>` (1). */
export const trainWordTokenizer = (texts: Iterable<string>, { size = Infinity }: WordOptions = {}): Tokenizer => {
  const counts = new Map<string, number>()
  for (const text of texts) for (const word of words(wellFormed(text))) counts.set(word, (counts.get(word) ?? 0) + 1)
  if (counts.size === 0) throw new InputError('a word tokenizer needs words, found none')
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, size)
  return wordTokenizer({
    kind: 'word',
    tokens: new Map(sorted.map(([word], index) => [word, index + 2])),
    unknownId: 0,
    added: [specialToken(0, '<unk>'), specialToken(1, '<end>')],
    prefix: [],
    suffix: [],
    endId: 1,
  })
}
