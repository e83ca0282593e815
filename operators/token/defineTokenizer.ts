/**
 * What all tokenizers share: added tokens cut the text into segments, the model encodes each segment, and ids read back
 * as bytes. Source: tiktoken `encode`, Hugging Face `AddedVocabulary`. Laws: T2, T9.
 */
import { InputError } from '../../src/errors.ts'
import { classAt, WHITE } from './characterClass.ts'
import { IdList } from './idList.ts'
import type { AddedToken, TokenizerModel } from './model.ts'
import type { DecodeOptions, EncodeOptions, Tokenizer } from './tokenizer.ts'
import { utf8Bytes, utf8Text } from './utf8.ts'

/** Appends the ids of a segment of text between added tokens. `first` is true at the beginning of the text. */
export type EncodeSegment = (segment: string, out: IdList, first: boolean) => void

export interface Core {
  readonly model: TokenizerModel
  /** Bytes by id, without those of added tokens. */
  readonly bytes: readonly (Uint8Array | undefined)[]
  readonly encodeSegment: EncodeSegment
  /** How a token reads after another; by default as its bytes. */
  readonly shown?: (previous: number | null, id: number, bytes: Uint8Array) => Uint8Array
}

// White space is never a surrogate: one code unit is one character.
const isWhite = (text: string, at: number) => (classAt(text, at) & WHITE) !== 0

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

/** Finds the tokens in a text, the longest where several begin at one place; null where there are none to find. */
const finder = (tokens: readonly AddedToken[]): RegExp | null => {
  if (tokens.length === 0) return null
  const longestFirst = [...tokens].sort((a, b) => b.content.length - a.content.length)
  return new RegExp(longestFirst.map(token => escaped(token.content)).join('|'), 'gu')
}

/** A tokenizer from its model's core. */
export const defineTokenizer = ({ model, bytes, encodeSegment, shown }: Core): Tokenizer => {
  const { added, prefix, suffix, endId } = model
  const table = [...bytes]
  for (const { id, content } of added) table[id] = utf8Bytes(content)
  const specialTokens = new Map(added.filter(token => token.special).map(token => [token.content, token.id]))
  const specialIds = new Set(specialTokens.values())
  const addedByContent = new Map(added.map(token => [token.content, token]))
  const always = added.filter(token => !token.special)
  const finders = { none: finder(always), all: finder(added) }

  const find = (allowed: EncodeOptions['allowedSpecial']): RegExp | null => {
    if (allowed === undefined) return finders.none
    if (allowed === 'all') return finders.all
    const names = new Set(allowed)
    for (const name of names)
      if (!specialTokens.has(name)) throw new InputError(`no special token ${JSON.stringify(name)}`)
    return finder(added.filter(token => !token.special || names.has(token.content)))
  }

  const bytesOf = (id: number): Uint8Array => {
    const found = table[id]
    if (found === undefined) {
      throw new InputError(`expected a token id of the vocabulary (0 to ${table.length - 1}), found ${id}`)
    }
    return found
  }
  const shownAfter = (previous: number | null, id: number) =>
    shown === undefined ? bytesOf(id) : shown(previous, id, bytesOf(id))

  const gather = (pieces: readonly Uint8Array[]): Uint8Array => {
    const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
    let at = 0
    for (const piece of pieces) {
      all.set(piece, at)
      at += piece.length
    }
    return all
  }

  const encode = (text: string, { allowedSpecial, addSpecial = false }: EncodeOptions = {}): Int32Array => {
    const out = new IdList()
    if (addSpecial) for (const id of prefix) out.push(id)
    let at = 0
    const wanted = find(allowedSpecial)
    if (wanted !== null) {
      for (const match of text.matchAll(wanted)) {
        const token = addedByContent.get(match[0])
        if (token === undefined) continue
        let start = match.index
        while (token.leftStrip && start > at && isWhite(text, start - 1)) start--
        if (start > at) encodeSegment(text.slice(at, start), out, at === 0)
        out.push(token.id)
        at = match.index + match[0].length
        while (token.rightStrip && at < text.length && isWhite(text, at)) at++
      }
    }
    if (at < text.length) encodeSegment(at === 0 ? text : text.slice(at), out, at === 0)
    if (addSpecial) for (const id of suffix) out.push(id)
    return out.toArray()
  }

  return {
    model,
    vocabularySize: table.length,
    specialTokens,
    prefix,
    suffix,
    endId,
    encode,
    decode: (ids: ArrayLike<number>, { skipSpecial = false }: DecodeOptions = {}): string => {
      const pieces: Uint8Array[] = []
      for (let i = 0; i < ids.length; i++) {
        if (skipSpecial && specialIds.has(ids[i])) continue
        pieces.push(shownAfter(i === 0 ? null : ids[i - 1], ids[i]))
      }
      return utf8Text(gather(pieces))
    },
    decodeBytes: ids => gather(Array.from(ids, bytesOf)),
    bytes: bytesOf,
    shown: shownAfter,
    token: id => utf8Text(bytesOf(id)),
  }
}
