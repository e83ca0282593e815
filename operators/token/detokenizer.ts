/**
 * The streaming detokenizer: token ids in, text out, as a machine. It holds back the bytes of an unfinished character, so
 * valid text never shows U+FFFD between two tokens; `'end'` flushes what is left.
 * The state is a plain value: it can be kept, forked and replayed. Step the prompt first (and drop its text) where a
 * continuation is to be shown: then its first space is kept.
 * Law T4: the outputs for ids followed by `'end'`, joined, are `decode(ids)`.
 */
import type { Machine } from '../../src/machine.ts'
import type { DecodeOptions, Tokenizer } from './tokenizer.ts'
import { incompleteTail, utf8Text } from './utf8.ts'

export interface DetokenizerState {
  readonly previous: number | null
  /** Zero to three bytes of a character that is not finished. */
  readonly pending: Uint8Array
}

export type Detokenizer = Machine<DetokenizerState, number | 'end', string>

const nothing = new Uint8Array(0)

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** A machine from ids to text. */
export const detokenizer = (tokenizer: Tokenizer, { skipSpecial = false }: DecodeOptions = {}): Detokenizer => {
  const hidden: ReadonlySet<number> = new Set(skipSpecial ? tokenizer.specialTokens.values() : [])
  return {
    init: () => ({ previous: null, pending: nothing }),
    step: ({ previous, pending }, input) => {
      if (input === 'end') return [utf8Text(pending), { previous: null, pending: nothing }]
      if (hidden.has(input)) return ['', { previous: input, pending }]
      const bytes = joined(pending, tokenizer.shown(previous, input))
      const whole = bytes.length - incompleteTail(bytes)
      return [utf8Text(bytes.subarray(0, whole)), { previous: input, pending: bytes.slice(whole) }]
    },
  }
}
