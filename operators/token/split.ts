/**
 * What pre-tokenizers share: contractions, numbers and white space.
 * A splitter returns the end of the piece that begins at `at` < text.length; pieces follow each other without gaps (law T5).
 */
import { classAt, NEWLINE, NUMBER, runEnd, WHITE, widthAt } from './characterClass.ts'

export type Splitter = (text: string, at: number) => number

const APOSTROPHE = 39
const S = 115

/**
 * End of an English contraction ('s 't 're 've 'm 'll 'd) at `at`, or `at` where there is none.
 * Ignoring case, U+017F (long s) is an s, as Unicode case folding has it.
 */
export const contractionEnd = (text: string, at: number, ignoreCase: boolean): number => {
  if (at + 1 >= text.length || text.charCodeAt(at) !== APOSTROPHE) return at
  const letter = (i: number): number => {
    const unit = i < text.length ? text.charCodeAt(i) : 0
    if (!ignoreCase) return unit
    return unit === 0x17f ? S : unit >= 65 && unit <= 90 ? unit + 32 : unit
  }
  const first = letter(at + 1)
  // s t m d
  if (first === S || first === 116 || first === 109 || first === 100) return at + 2
  const second = letter(at + 2)
  // re ve ll
  if ((first === 114 || first === 118) && second === 101) return at + 3
  return first === 108 && second === 108 ? at + 3 : at
}

/** `\s+(?!\S)|\s+`: a run of white space leaves its last character to the word that follows. White space has one code unit. */
export const whiteEnd = (text: string, at: number): number => {
  const end = runEnd(text, at, WHITE)
  return end === text.length || end === at + 1 ? end : end - 1
}

/** `\s*[\r\n]+`, then `whiteEnd`: up to the last newline of the run where it has one. */
export const linesEnd = (text: string, at: number): number => {
  for (let i = runEnd(text, at, WHITE); i > at; i--) if (classAt(text, i - 1) === NEWLINE) return i
  return whiteEnd(text, at)
}

/** `\p{N}{1,3}` from a number on. */
export const threeNumbersEnd = (text: string, at: number): number => {
  let end = at
  for (let n = 0; n < 3 && end < text.length && classAt(text, end) === NUMBER; n++) end += widthAt(text, end)
  return end
}
