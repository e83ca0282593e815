/** What tokenizers are made from: plain data, as read from and written to tokenizer files. */
import type { Pattern } from './pattern.ts'

/** A token matched in the text before the model sees it. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  /** Special tokens arise only where the caller allows them; others always. */
  readonly special: boolean
  /** Also takes the white space before it. */
  readonly leftStrip: boolean
  /** Also takes the white space after it. */
  readonly rightStrip: boolean
}

/** A special token that takes no white space. */
export const specialToken = (id: number, content: string): AddedToken => ({
  id,
  content,
  special: true,
  leftStrip: false,
  rightStrip: false,
})

export interface Around {
  readonly added: readonly AddedToken[]
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
  readonly endId: number | null
}

/** Every character (code point) is a token; what is not in the vocabulary is `unknownId`, or an error where that is null. */
export interface CharacterModel extends Around {
  readonly kind: 'character'
  readonly tokens: ReadonlyMap<string, number>
  readonly unknownId: number | null
}

/** Words and runs of punctuation are tokens; decoding puts one space between them. */
export interface WordModel extends Around {
  readonly kind: 'word'
  readonly tokens: ReadonlyMap<string, number>
  readonly unknownId: number
}

/** Pairs of ids in merge order, or null: any two neighbours whose bytes together are a token, lowest id first (tiktoken). */
export type MergeList = readonly (readonly [left: number, right: number])[]

export interface ByteLevelModel extends Around {
  readonly kind: 'byteLevelBpe'
  /** Bytes by id; ids of added tokens may be left out. */
  readonly tokens: readonly (Uint8Array | undefined)[]
  readonly merges: MergeList | null
  /** A piece that is a token is that token, even where the merges do not lead to it. */
  readonly wholeFirst: boolean
  readonly pattern: Pattern
}

export interface SentencePieceModel extends Around {
  readonly kind: 'sentencePieceBpe'
  /** Text by id, with plain spaces; the 256 byte tokens and the special tokens are left out. */
  readonly pieces: readonly (string | undefined)[]
  /** Id of each byte, for characters that are no piece. */
  readonly byteIds: Int32Array
  /** A merge list (Hugging Face), or a score of each id, highest first (llama2.c). */
  readonly merges: MergeList | null
  readonly scores: Float32Array | null
  /** A space is put before every text between special tokens, before the first, or never; decoding removes it. */
  readonly prefixSpace: 'each' | 'first' | 'never'
  /** U+2581 in a text is a space, as in SentencePiece; else it is a character like others, as in llama2.c. */
  readonly blockIsSpace: boolean
  readonly unknownId: number | null
}

export type TokenizerModel = CharacterModel | WordModel | ByteLevelModel | SentencePieceModel
