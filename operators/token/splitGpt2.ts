/**
 * GPT-2's pre-tokenizer: contractions, words, numbers and punctuation with the space before them, white space.
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * Source: openai/gpt-2 `encoder.py`. Law T5.
 */
import { classAt, LETTER, MARK, NUMBER, OTHER, runEnd, WHITE } from './characterClass.ts'
import { contractionEnd, type Splitter, whiteEnd } from './split.ts'

const PUNCTUATION = OTHER | MARK
const runOf = (kind: number) => ((kind & LETTER) !== 0 ? LETTER : kind === NUMBER ? NUMBER : PUNCTUATION)

export const splitGpt2: Splitter = (text, at) => {
  const contraction = contractionEnd(text, at, false)
  if (contraction > at) return contraction
  const kind = classAt(text, at)
  if ((kind & WHITE) === 0) return runEnd(text, at, runOf(kind))
  if (text.charCodeAt(at) === 32 && at + 1 < text.length) {
    const next = classAt(text, at + 1)
    if ((next & WHITE) === 0) return runEnd(text, at + 1, runOf(next))
  }
  return whiteEnd(text, at)
}
