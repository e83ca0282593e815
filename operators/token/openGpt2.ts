/**
 * GPT-2's own files: `encoder.json` (or `vocab.json`) and `vocab.bpe` (or `merges.txt`). Source: openai/gpt-2 `encoder.py`.
 */
import { InputError } from '../../src/errors.ts'
import { fromByteLetters } from '../../src/format/byteAlphabet.ts'
import { byId, parseMergeLines, parseVocabulary, type TokenPair } from '../../src/format/vocabulary.ts'
import { byteLevelBpe } from './byteLevelBpe.ts'
import { type MergeList, specialToken } from './model.ts'
import { patterns } from './pattern.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Merges as pairs of ids; a token that is not in the vocabulary is an InputError. */
export const mergeIds = (
  pairs: readonly TokenPair[],
  vocabulary: ReadonlyMap<string, number>,
  where: string,
): MergeList => {
  const idOf = (token: string, merge: number): number => {
    const id = vocabulary.get(token)
    if (id !== undefined) return id
    throw new InputError(`${where}: merge ${merge}: expected a token of the vocabulary, found ${JSON.stringify(token)}`)
  }
  return pairs.map(([left, right], index) => [idOf(left, index), idOf(right, index)])
}

/** Bytes by id of a vocabulary in byte letters; tokens that are not in that alphabet are left out. */
export const byteTokens = (vocabulary: ReadonlyMap<string, number>, where: string): (Uint8Array | undefined)[] =>
  byId(vocabulary, where).map(token => (token === undefined ? undefined : (fromByteLetters(token) ?? undefined)))

const END = '<|endoftext|>'

export const openGpt2 = (
  vocabularyFile: Uint8Array,
  mergeLines: string,
  names: readonly [vocabulary: string, merges: string],
): Tokenizer => {
  const vocabulary = parseVocabulary(vocabularyFile, names[0])
  const merges = mergeIds(parseMergeLines(mergeLines, names[1]), vocabulary, names[1])
  const endId = vocabulary.get(END) ?? null
  return byteLevelBpe(
    {
      kind: 'byteLevelBpe',
      tokens: byteTokens(vocabulary, names[0]),
      merges,
      wholeFirst: false,
      pattern: patterns.gpt2,
      added: endId === null ? [] : [specialToken(endId, END)],
      prefix: [],
      suffix: [],
      endId,
    },
    names[0],
  )
}
