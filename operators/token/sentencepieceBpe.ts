/**
 * SentencePiece-style BPE with byte fallback (Llama 1 and 2, stories260K): no pre-tokenizer, a space before the text, characters that
 * are no piece become their bytes, neighbours merge by score or by a list. Decoding removes the space that was put before.
 * Source: Kudo & Richardson 1808.06226; llama2.c `encode`, `decode`. Laws: T1-T4, T6, T9.
 */
import { InputError } from '../../src/errors.ts'
import { widthAt } from './characterClass.ts'
import { defineTokenizer } from './defineTokenizer.ts'
import { merge } from './merges.ts'
import { joiningMerges, listedMerges } from './mergeTables.ts'
import type { SentencePieceModel } from './model.ts'
import type { Tokenizer } from './tokenizer.ts'
import { TokenTable } from './tokenTable.ts'
import { utf8Bytes, writeUtf8 } from './utf8.ts'

/** Precedence of each id: the greater its score, the earlier; equal scores are equal, and the leftmost pair goes first. */
const precedenceOf = (scores: Float32Array): Int32Array => {
  const descending = [...new Set(scores)].sort((a, b) => b - a)
  const rank = new Map(descending.map((score, index) => [score, index]))
  return scores.length === 0 ? new Int32Array(0) : Int32Array.from(scores, score => rank.get(score) ?? 0)
}

/** A tokenizer of this model. `where` names its file in errors. */
export const sentencePieceBpe = (model: SentencePieceModel, where = 'vocabulary'): Tokenizer => {
  const { byteIds, prefixSpace, blockIsSpace } = model
  const missing = byteIds.indexOf(-1)
  if (byteIds.length !== 256 || missing >= 0) {
    throw new InputError(`${where}: expected a token for each of the 256 bytes, found none for byte ${missing}`)
  }
  const addedIds = new Set(model.added.map(token => token.id))
  const pieces = model.pieces.map((piece, id) =>
    piece === undefined || addedIds.has(id) ? undefined : utf8Bytes(piece),
  )
  const bytes = [...pieces]
  byteIds.forEach((id, byte) => {
    bytes[id] = Uint8Array.of(byte)
  })
  // Byte tokens and special tokens are not in the table: nothing merges to them.
  const table = new TokenTable(Array.from(bytes, (_, id) => pieces[id]))
  const merges =
    model.merges === null
      ? joiningMerges(table, model.scores === null ? undefined : precedenceOf(model.scores))
      : listedMerges(model.merges, table, where)
  const character = new Uint8Array(6)

  return defineTokenizer({
    model,
    bytes,
    encodeSegment: (segment, out, first) => {
      const spaced = prefixSpace === 'each' || (prefixSpace === 'first' && first) ? ` ${segment}` : segment
      const text = blockIsSpace ? spaced.replaceAll('\u2581', ' ') : spaced
      const symbols = new Int32Array(3 * text.length)
      let count = 0
      for (let at = 0; at < text.length; ) {
        const end = at + widthAt(text, at)
        const length = writeUtf8(text, at, end, character)
        const piece = table.find(character, 0, length)
        if (piece >= 0) symbols[count++] = piece
        else for (let i = 0; i < length; i++) symbols[count++] = byteIds[character[i]]
        at = end
      }
      const merged = merge(merges, symbols, count)
      out.reserve(merged)
      for (let i = 0; i < merged; i++) out.push(symbols[i])
    },
    shown: (previous, _, token) => {
      const begins =
        previous === null || (prefixSpace === 'each' && addedIds.has(previous)) || model.prefix.includes(previous)
      return begins && prefixSpace !== 'never' && token[0] === 32 ? token.subarray(1) : token
    },
  })
}
