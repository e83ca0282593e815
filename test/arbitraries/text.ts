/** Texts on which pre-tokenizers and UTF-8 go wrong, and texts of every kind of character. */
import fc from 'fast-check'

// Spaces of all kinds, a byte-order mark, letters with and without case, both s, marks, digits, lone surrogates, joined emoji.
const hard = [
  ..." '  \n\r\t\u00a0\u0085\ufeff\u2028\u3000aZsSſtTrRvVeEmMlLdDK'’1２Ⅷ½!?/.,-_ǅʰªéÉ\u0301\u0300中文😀👍🏽\u200d한नि्ß\u2581",
  '\ud800',
  '\udc00',
  '<|endoftext|>',
  "'ll",
]

/** Characters on which splitting depends, in any order. */
export const hardText = fc.string({ unit: fc.constantFrom(...hard), maxLength: 24 })

/** Any code points, any graphemes, hard characters: a third each. */
export const anyText = fc.oneof(
  hardText,
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
)

/** Repeated letters, on which merges overlap. */
export const repetitive = fc.string({ unit: fc.constantFrom('a', 'a', 'a', 'b', 'c', ' '), maxLength: 200 })
