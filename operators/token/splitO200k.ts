/**
 * The pre-tokenizer of o200k_base (GPT-4o): as cl100k, but words also end where a capital follows a small letter, marks belong to
 * words, and contractions stay with their word. With C = (?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ C
 *   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]* C
 *   \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * Source: openai/tiktoken. Law T5.
 */
import {
  classAt,
  LETTER,
  LOWER,
  MARK,
  NEWLINE,
  NUMBER,
  OTHER,
  runEnd,
  UNCASED,
  UPPER,
  WHITE,
  widthAt,
} from './characterClass.ts'
import { contractionEnd, linesEnd, type Splitter, threeNumbersEnd } from './split.ts'

const PUNCTUATION = OTHER | MARK
const CAPITALS = UPPER | UNCASED | MARK
const SMALL = LOWER | UNCASED | MARK
const SLASH = 47

/** Capitals, then at least one small letter: what is both may end the first run or begin the second. Returns `at` on failure. */
const smallWordEnd = (text: string, at: number): number => {
  const capitals = runEnd(text, at, CAPITALS)
  const small = runEnd(text, capitals, SMALL)
  if (small > capitals) return small
  // Backtrack to the last letter of the run that is no capital.
  let end = at
  for (let i = at; i < capitals; i += widthAt(text, i)) if (classAt(text, i) !== UPPER) end = i + widthAt(text, i)
  return end
}

/** A word from `at` on, or after one other character at `at`, in the order in which the pattern tries; `at` where there is none. */
const wordEnd = (text: string, at: number): number => {
  const kind = classAt(text, at)
  const after = (kind & (LETTER | NUMBER | NEWLINE)) === 0 ? at + widthAt(text, at) : at
  for (const ending of [smallWordEnd, (source: string, i: number) => runEnd(source, i, CAPITALS)]) {
    const late = after > at ? ending(text, after) : after
    if (late > after) return late
    const early = ending(text, at)
    if (early > at) return early
  }
  return at
}

const punctuationEnd = (text: string, at: number): number => {
  let end = runEnd(text, at, PUNCTUATION)
  while (end < text.length && (classAt(text, end) === NEWLINE || text.charCodeAt(end) === SLASH)) end++
  return end
}

export const splitO200k: Splitter = (text, at) => {
  const word = wordEnd(text, at)
  if (word > at) return contractionEnd(text, word, true)
  const kind = classAt(text, at)
  if (kind === NUMBER) return threeNumbersEnd(text, at)
  if ((kind & WHITE) === 0) return punctuationEnd(text, at)
  if (text.charCodeAt(at) === 32 && at + 1 < text.length && (classAt(text, at + 1) & PUNCTUATION) !== 0) {
    return punctuationEnd(text, at + 1)
  }
  return linesEnd(text, at)
}
