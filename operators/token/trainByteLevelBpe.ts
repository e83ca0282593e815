/**
 * Trains a byte-level BPE tokenizer: ids 0 to 255 are the bytes, 256 + i is merge i, then come the special tokens.
 * Source: Radford et al. 2019; minbpe. Laws: T1-T9.
 */
import { InputError } from '../../src/errors.ts'
import { byteLevelBpe } from './byteLevelBpe.ts'
import { countPieces, countPiecesAsync } from './countPieces.ts'
import { learnMerges } from './learnMerges.ts'
import { type MergeList, specialToken } from './model.ts'
import { patterns } from './pattern.ts'
import type { Tokenizer } from './tokenizer.ts'

export interface BpeOptions {
  /** Size of the whole vocabulary: 256 bytes, the merges, the special tokens. Smaller where the text has no more pairs. */
  readonly vocabularySize: number
  readonly pattern?: keyof typeof patterns
  /** Spellings; the first one ends a text. */
  readonly specialTokens?: readonly string[]
  /** Pairs that occur less often are not merged. */
  readonly minimumCount?: number
}

/** The byte tokens, then what each merge makes. */
export const tokensOfMerges = (merges: MergeList): Uint8Array[] => {
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))
  for (const [left, right] of merges) tokens.push(Uint8Array.of(...tokens[left], ...tokens[right]))
  return tokens
}

/** A tokenizer of these merges. */
export const tokenizerOfMerges = (
  merges: MergeList,
  specialTokens: readonly string[] = [],
  pattern: keyof typeof patterns = 'gpt2',
): Tokenizer => {
  const tokens = tokensOfMerges(merges)
  const added = specialTokens.map((content, i) => specialToken(tokens.length + i, content))
  return byteLevelBpe({
    kind: 'byteLevelBpe',
    tokens,
    merges,
    wholeFirst: false,
    pattern: patterns[pattern],
    added,
    prefix: [],
    suffix: [],
    endId: added[0]?.id ?? null,
  })
}

const trained = (counts: ReadonlyMap<string, number>, options: BpeOptions): Tokenizer => {
  const { vocabularySize, specialTokens = [], minimumCount = 1 } = options
  const merges = vocabularySize - 256 - specialTokens.length
  if (!Number.isInteger(merges) || merges < 0 || vocabularySize > 2 ** 21) {
    throw new InputError(
      `expected a vocabulary of ${256 + specialTokens.length} (bytes and special tokens) to 2097152, found ${vocabularySize}`,
    )
  }
  if (counts.size === 0) throw new InputError('a tokenizer is trained on text, found none')
  return tokenizerOfMerges(learnMerges(counts, merges, minimumCount), specialTokens, options.pattern)
}

/** Trains on the chunks of one text. */
export const trainByteLevelBpe = (chunks: Iterable<string>, options: BpeOptions): Tokenizer =>
  trained(countPieces(patterns[options.pattern ?? 'gpt2'].split, chunks), options)

/** Trains on the chunks of one text of any size, as they arrive. */
export const trainByteLevelBpeAsync = async (chunks: AsyncIterable<string>, options: BpeOptions): Promise<Tokenizer> =>
  trained(await countPiecesAsync(patterns[options.pattern ?? 'gpt2'].split, chunks), options)
