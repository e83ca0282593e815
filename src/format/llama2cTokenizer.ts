/**
 * llama2.c's `tokenizer.bin`: int32 greatest length, then for each id a float32 score, an int32 length and as many bytes, all
 * little-endian. Source: karpathy/llama2.c `tokenizer.py`, `export`.
 */
import { orThrow } from '../codec/decode.ts'
import { utf8 } from '../codec/json.ts'
import { InputError } from '../errors.ts'

export interface ScoredPiece {
  readonly score: number
  readonly piece: string
}

/** Pieces by id. Throws an InputError that says at which byte the file goes wrong. */
export const parseLlama2cTokenizer = (bytes: Uint8Array, where: string): ScoredPiece[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const refuse = (at: number, expected: string, found: string | number) =>
    new InputError(`${where}: byte ${at}: expected ${expected}, found ${found}`)
  if (bytes.length < 4) throw refuse(0, 'the length of the longest piece', 'the end of the file')
  const longest = view.getInt32(0, true)
  const pieces: ScoredPiece[] = []
  for (let at = 4; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw refuse(at, 'a score and a length', 'the end of the file')
    const score = view.getFloat32(at, true)
    const length = view.getInt32(at + 4, true)
    if (Number.isNaN(score)) throw refuse(at, 'a score', 'NaN')
    if (length < 0 || length > longest) throw refuse(at + 4, `a length from 0 to ${longest}`, length)
    if (at + 8 + length > bytes.length) throw refuse(at + 8, `${length} bytes of text`, 'the end of the file')
    const text = utf8(bytes.subarray(at + 8, at + 8 + length), `${where}: piece ${pieces.length}`)
    pieces.push({ score, piece: orThrow(text) })
    at += 8 + length
  }
  if (pieces.length === 0) throw refuse(4, 'pieces', 'the end of the file')
  return pieces
}

/** The text of a byte token such as `<0x0A>` as its byte, or -1. */
export const byteOfPiece = (piece: string): number => {
  const match = /^<0x([0-9A-F]{2})>$/.exec(piece)
  return match === null ? -1 : Number.parseInt(match[1], 16)
}

/** A byte as SentencePiece spells its token. */
export const pieceOfByte = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
