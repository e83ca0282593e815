/**
 * Byte-level BPE: a pre-tokenizer splits the text, each piece is UTF-8 bytes, and neighbours merge by rank. Every text has
 * ids, and `decode` is exact. Source: Radford et al. 2019 (GPT-2); tiktoken; Sennrich et al. 1508.07909. Laws: T1-T9.
 */
import { InputError } from '../../src/errors.ts'
import { defineTokenizer } from './defineTokenizer.ts'
import { merge } from './merges.ts'
import { joiningMerges, listedMerges } from './mergeTables.ts'
import type { ByteLevelModel } from './model.ts'
import { PieceCache } from './pieceCache.ts'
import type { Tokenizer } from './tokenizer.ts'
import { TokenTable } from './tokenTable.ts'
import { writeUtf8 } from './utf8.ts'

/** A tokenizer of this model. `where` names its file in errors. */
export const byteLevelBpe = (model: ByteLevelModel, where = 'vocabulary'): Tokenizer => {
  // An added token is no word: plain text never merges to it (law T9).
  const addedIds = new Set(model.added.map(token => token.id))
  const table = new TokenTable(model.tokens.map((token, id) => (addedIds.has(id) ? undefined : token)))
  const byteIds = Int32Array.from({ length: 256 }, (_, byte) => table.find(Uint8Array.of(byte)))
  const absent = byteIds.indexOf(-1)
  if (absent >= 0) {
    throw new InputError(`${where}: expected a token for each of the 256 bytes, found none for byte ${absent}`)
  }
  const merges = model.merges === null ? joiningMerges(table) : listedMerges(model.merges, table, where)
  const { wholeFirst, pattern } = model
  const { split } = pattern
  const cache = new PieceCache()
  let bytes = new Uint8Array(256)
  let symbols = new Int32Array(256)

  return defineTokenizer({
    model,
    bytes: model.tokens,
    encodeSegment: (text, out) => {
      for (let at = 0; at < text.length; ) {
        const end = split(text, at)
        if (!cache.copy(text, at, end, out)) {
          const from = out.length
          if (bytes.length < 3 * (end - at)) {
            bytes = new Uint8Array(3 * (end - at))
            symbols = new Int32Array(3 * (end - at))
          }
          const length = writeUtf8(text, at, end, bytes)
          const whole = wholeFirst || length === 1 ? table.find(bytes, 0, length) : -1
          if (whole >= 0) out.push(whole)
          else {
            for (let i = 0; i < length; i++) symbols[i] = byteIds[bytes[i]]
            const merged = merge(merges, symbols, length)
            for (let i = 0; i < merged; i++) out.push(symbols[i])
          }
          cache.add(text, at, end, out, from)
        }
        at = end
      }
    },
  })
}
