/**
 * A tokenizer: text to token ids and back. Ids are integers from 0 to `vocabularySize` - 1; some may be unused.
 * Laws: T1 round trip, T2 bytes are a homomorphism, T3 canonicity, T4 streaming, T8 length, T9 special tokens.
 */
import type { TokenizerModel } from './model.ts'

export interface EncodeOptions {
  /** Special tokens that may arise from the text; by default none, their spelling is plain text (law T9). */
  readonly allowedSpecial?: 'all' | Iterable<string>
  /** Puts `prefix` before and `suffix` after the text, as the model saw it in training. */
  readonly addSpecial?: boolean
}

export interface DecodeOptions {
  /** Leaves special tokens out of the text. */
  readonly skipSpecial?: boolean
}

export interface Tokenizer {
  /** What the tokenizer was made from: plain data, which `tokenizerJson` writes. */
  readonly model: TokenizerModel
  /** Greatest id + 1: the number of rows of an embedding table. */
  readonly vocabularySize: number
  readonly specialTokens: ReadonlyMap<string, number>
  /** Ids that the model expects before a text (Llama: `<s>`), often none. */
  readonly prefix: readonly number[]
  /** Ids that the model expects after a text (RoBERTa: `</s>`), often none. */
  readonly suffix: readonly number[]
  /** The token that ends a text, where there is one. */
  readonly endId: number | null
  /** Throws an InputError where the text holds what the vocabulary cannot express. Lone surrogates become U+FFFD. */
  encode(text: string, options?: EncodeOptions): Int32Array
  /** Bytes that are not UTF-8 become U+FFFD. Throws an InputError at an unknown id. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string
  /** The tokens' own bytes, one after another: no prefix space is removed and no space put between words (law T2). */
  decodeBytes(ids: ArrayLike<number>): Uint8Array
  /** The token's own bytes, or an InputError. */
  bytes(id: number): Uint8Array
  /** The token's bytes as they read in a text after `previous`; null begins the text. */
  shown(previous: number | null, id: number): Uint8Array
  /** The token as text for people: pieces of characters read as U+FFFD. */
  token(id: number): string
}
