/**
 * Unicode classes of characters as bits, for splitting text. ASCII is a table; other pages of 256 code points are classified when
 * first met. White space is the Unicode property White_Space, as in Rust's `\s`; JavaScript's `\s` has U+FEFF and lacks U+0085.
 */

/** Lu, Lt. */
export const UPPER = 1
/** Ll. */
export const LOWER = 2
/** Lm, Lo: letters without case. */
export const UNCASED = 4
/** M. */
export const MARK = 8
/** N. */
export const NUMBER = 16
/** White space other than the two newlines. */
export const SPACE = 32
/** U+000A, U+000D. */
export const NEWLINE = 64
/** All else: punctuation, symbols, controls, lone surrogates, unassigned. */
export const OTHER = 128

export const LETTER = UPPER | LOWER | UNCASED
export const WHITE = SPACE | NEWLINE

const classify = (codePoint: number): number => {
  if (codePoint === 10 || codePoint === 13) return NEWLINE
  const character = String.fromCodePoint(codePoint)
  if (/\p{White_Space}/u.test(character)) return SPACE
  if (/[\p{Lu}\p{Lt}]/u.test(character)) return UPPER
  if (/\p{Ll}/u.test(character)) return LOWER
  if (/\p{L}/u.test(character)) return UNCASED
  if (/\p{M}/u.test(character)) return MARK
  return /\p{N}/u.test(character) ? NUMBER : OTHER
}

const pages: (Uint8Array | undefined)[] = new Array(0x1100).fill(undefined)

const page = (number: number): Uint8Array => {
  const known = pages[number]
  if (known !== undefined) return known
  const made = Uint8Array.from({ length: 256 }, (_, i) => classify(number * 256 + i))
  pages[number] = made
  return made
}

const ascii = page(0).slice(0, 128)

/** Class of the code point that begins at `i` < text.length. */
export const classAt = (text: string, i: number): number => {
  const unit = text.charCodeAt(i)
  if (unit < 128) return ascii[unit]
  const codePoint = unit >= 0xd800 && unit < 0xdc00 ? (text.codePointAt(i) ?? unit) : unit
  return page(codePoint >> 8)[codePoint & 255]
}

/** Code units of the code point that begins at `i`. */
export const widthAt = (text: string, i: number): number => {
  const unit = text.charCodeAt(i)
  if (unit < 0xd800 || unit >= 0xdc00 || i + 1 >= text.length) return 1
  const low = text.charCodeAt(i + 1)
  return low >= 0xdc00 && low < 0xe000 ? 2 : 1
}

/** End of the run of code points from `i` on whose class is in `set`. */
export const runEnd = (text: string, i: number, set: number): number => {
  let at = i
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    if (unit < 128) {
      if ((ascii[unit] & set) === 0) return at
      at++
    } else {
      if ((classAt(text, at) & set) === 0) return at
      at += widthAt(text, at)
    }
  }
  return at
}
