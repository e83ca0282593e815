/**
 * Pre-tokenizer patterns in the syntax of tiktoken and Hugging Face (Rust regular expressions). The three that are known by name have
 * hand-written splitters; others run as JavaScript regular expressions, translated so that they mean the same. Law T5.
 */
import { InputError } from '../../src/errors.ts'
import { widthAt } from './characterClass.ts'
import type { Splitter } from './split.ts'
import { splitCl100k } from './splitCl100k.ts'
import { splitGpt2 } from './splitGpt2.ts'
import { splitO200k } from './splitO200k.ts'

export interface Pattern {
  /** The pattern as tokenizer files spell it. */
  readonly source: string
  readonly split: Splitter
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const capitals = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const small = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
const lead = '[^\\r\\n\\p{L}\\p{N}]?'
const lines = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'

/** The patterns with hand-written splitters. */
export const patterns = {
  gpt2: {
    source: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    split: splitGpt2,
  },
  cl100k: {
    source: `${contractions}|${lead}\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${lines}`,
    split: splitCl100k,
  },
  o200k: {
    source: `${lead}${capitals}*${small}+${contractions}?|${lead}${capitals}+${small}*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${lines}`,
    split: splitO200k,
  },
} as const satisfies Readonly<Record<string, Pattern>>

const caseless: Readonly<Record<string, string>> = { s: 'sS\u017f', k: 'kK\u212a' }
const bothCases = (letter: string) => caseless[letter.toLowerCase()] ?? `${letter.toLowerCase()}${letter.toUpperCase()}`

/** A case-insensitive group, which Node 20 cannot parse, with its cases spelled out. */
const spelledOut = (group: string): string =>
  `(?:${group.replace(/\[[^\]]*\]|[a-z]/gi, part =>
    part.startsWith('[') ? part.replace(/[a-z]/gi, bothCases) : `[${bothCases(part)}]`,
  )})`

/** A Rust regular expression as a JavaScript one of the same meaning; throws an InputError where that is not possible. */
export const toRegExp = (source: string, where = 'pattern'): RegExp => {
  const refuse = (reason: string) =>
    new InputError(`${where}: expected a supported pattern, found ${reason} in ${source}`)
  const translated = source
    .replace(/\(\?i:([^()\\]*)\)/g, (_, group: string) => spelledOut(group))
    .replace(/\\(.)/gs, (whole, letter: string) =>
      letter === 's' ? '\\p{White_Space}' : letter === 'S' ? '\\P{White_Space}' : whole,
    )
  // Quantifiers and groups, without escapes and classes.
  const skeleton = translated.replace(/\\[pP]\{[^}]*\}|\\./gs, '.').replace(/\[[^\]]*\]/g, '.')
  const unsupported = /\\[wWdDbBAzZGhHRX]/.exec(translated) ?? /[*+?}]\+|\(\?(?![:=!])/.exec(skeleton)
  if (unsupported !== null) throw refuse(JSON.stringify(unsupported[0]))
  try {
    return new RegExp(translated, 'gu')
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error))
  }
}

/** A splitter that runs a regular expression; what it does not match is a piece of its own. */
export const splitByRegExp =
  (expression: RegExp): Splitter =>
  (text, at) => {
    expression.lastIndex = at
    const match = expression.exec(text)
    if (match === null) return text.length
    if (match.index > at) return match.index
    return at + Math.max(match[0].length, widthAt(text, at))
  }

/** The pattern of this source; throws an InputError where it is not supported. */
export const patternOf = (source: string, where = 'pattern'): Pattern =>
  Object.values(patterns).find(known => known.source === source) ?? {
    source,
    split: splitByRegExp(toRegExp(source, where)),
  }

/** The pieces of a text, in order. */
export function* pieces(split: Splitter, text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = split(text, at)
    yield text.slice(at, end)
    at = end
  }
}
