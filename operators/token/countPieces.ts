/**
 * Counts of the pieces of a text that arrives in chunks: all that BPE training needs of a corpus, however large.
 * Chunks are cut only where every known pattern has a boundary, so the counts do not depend on the chunking.
 */
import { classAt, LETTER } from './characterClass.ts'
import type { Splitter } from './split.ts'

const NEWLINE = 10
const SPACE = 32

const isLetter = (text: string, at: number) => (classAt(text, at) & LETTER) !== 0

/**
 * The last place at which a piece surely ends: between a newline and a letter, or a letter and a space before a
 * letter. 0 where there is none: then the text is kept until more has come.
 */
const lastBoundary = (text: string): number => {
  for (let at = text.length - 2; at > 0; at--) {
    const before = text.charCodeAt(at - 1)
    if (before === NEWLINE && isLetter(text, at)) return at
    if (text.charCodeAt(at) === SPACE && isLetter(text, at - 1) && isLetter(text, at + 1)) return at
  }
  return 0
}

// A slice keeps its whole text alive; a key of the counts must not.
const detached = (text: string): string => {
  let copy = ''
  for (let i = 0; i < text.length; i++) copy += String.fromCharCode(text.charCodeAt(i))
  return copy
}

export class PieceCounter {
  readonly counts = new Map<string, number>()
  readonly #split: Splitter
  #rest = ''

  constructor(split: Splitter) {
    this.#split = split
  }

  add(chunk: string): void {
    const text = this.#rest + chunk
    const end = lastBoundary(text)
    this.#count(text, end)
    this.#rest = text.slice(end)
  }

  /** Counts what was held back; call it once, after the last chunk. */
  finish(): ReadonlyMap<string, number> {
    this.#count(this.#rest, this.#rest.length)
    this.#rest = ''
    return this.counts
  }

  #count(text: string, limit: number): void {
    for (let at = 0; at < limit; ) {
      const end = this.#split(text, at)
      const piece = text.slice(at, end)
      const count = this.counts.get(piece)
      this.counts.set(count === undefined ? detached(piece) : piece, (count ?? 0) + 1)
      at = end
    }
  }
}

/** Counts of the pieces of some chunks of one text. */
export const countPieces = (split: Splitter, chunks: Iterable<string>): ReadonlyMap<string, number> => {
  const counter = new PieceCounter(split)
  for (const chunk of chunks) counter.add(chunk)
  return counter.finish()
}

/** As `countPieces`, for chunks that arrive in time. */
export const countPiecesAsync = async (
  split: Splitter,
  chunks: AsyncIterable<string>,
): Promise<ReadonlyMap<string, number>> => {
  const counter = new PieceCounter(split)
  for await (const chunk of chunks) counter.add(chunk)
  return counter.finish()
}
