/**
 * Ends a text at the first of some strings, wherever the borders of its pieces are, and never lets a part of that string out: a suffix
 * that may begin a stop string is held back until it is decided (law G6). A machine from pieces of text to text to show.
 *
 *   emitted(pieces) + flush = text before the stop string whose end comes first (of those that end there, the longest)
 *
 * for every way to cut the text into pieces. `stopped` turns true with the piece that completes a stop string, and stays.
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { boolean, nonEmptyText, text } from '../../src/codec/fields.ts'
import type { Machine } from '../../src/machine.ts'

export interface StopState {
  /** Text seen and not shown: the longest suffix that begins a stop string. */
  readonly held: string
  readonly stopped: boolean
}

export interface Shown {
  readonly text: string
  readonly stopped: boolean
}

export interface StopStrings extends Machine<StopState, string, Shown> {
  readonly codec: t.Type<StopState, unknown, unknown>
  /** What is still held when the text ends without a stop string. */
  readonly flush: (state: StopState) => string
}

const codec: t.Type<StopState, unknown, unknown> = t.readonly(t.type({ held: text, stopped: boolean }, 'held text'))

/** An empty stop string is an InputError. No strings: everything passes at once. */
export const stopStrings = (strings: readonly string[]): StopStrings => {
  for (const [i, string] of strings.entries()) decodeOrThrow(nonEmptyText, string, `stop string ${i}`)
  const longestFirst = [...strings].sort((x, y) => y.length - x.length)
  const longest = longestFirst[0]?.length ?? 0

  /** Where in the text the first stop string to end after `from` starts, or -1. */
  const find = (seen: string, from: number): number => {
    for (let end = from + 1; end <= seen.length; end++)
      for (const string of longestFirst) if (seen.endsWith(string, end)) return end - string.length
    return -1
  }
  const heldLength = (seen: string): number => {
    let length = Math.min(longest - 1, seen.length)
    while (length > 0 && !longestFirst.some(string => length < string.length && seen.endsWith(string.slice(0, length))))
      length--
    return Math.max(0, length)
  }
  return {
    codec,
    init: () => ({ held: '', stopped: false }),
    step: (state, piece) => {
      if (state.stopped) return [{ text: '', stopped: true }, state]
      const seen = state.held + piece
      const start = find(seen, state.held.length)
      if (start >= 0)
        return [
          { text: seen.slice(0, start), stopped: true },
          { held: '', stopped: true },
        ]
      const border = seen.length - heldLength(seen)
      return [
        { text: seen.slice(0, border), stopped: false },
        { held: seen.slice(border), stopped: false },
      ]
    },
    flush: state => state.held,
  }
}
