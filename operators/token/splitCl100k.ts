/**
 * The pre-tokenizer of cl100k_base (GPT-4) and Llama 3: contractions in any case, words with one character before them, numbers by
 * three, punctuation with the newlines after it, lines of white space.
 *   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * Source: openai/tiktoken. Law T5.
 */
import { classAt, LETTER, MARK, NEWLINE, NUMBER, OTHER, runEnd, WHITE, widthAt } from './characterClass.ts'
import { contractionEnd, linesEnd, type Splitter, threeNumbersEnd } from './split.ts'

const PUNCTUATION = OTHER | MARK

export const splitCl100k: Splitter = (text, at) => {
  const contraction = contractionEnd(text, at, true)
  if (contraction > at) return contraction
  const kind = classAt(text, at)
  if ((kind & LETTER) !== 0) return runEnd(text, at, LETTER)
  if (kind === NUMBER) return threeNumbersEnd(text, at)
  const next = at + widthAt(text, at)
  const nextKind = next < text.length ? classAt(text, next) : 0
  if (kind !== NEWLINE && (nextKind & LETTER) !== 0) return runEnd(text, next, LETTER)
  if ((kind & WHITE) === 0) return runEnd(text, runEnd(text, at, PUNCTUATION), NEWLINE)
  if (text.charCodeAt(at) === 32 && (nextKind & PUNCTUATION) !== 0) {
    return runEnd(text, runEnd(text, next, PUNCTUATION), NEWLINE)
  }
  return linesEnd(text, at)
}
