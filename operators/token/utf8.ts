/**
 * UTF-8 of a span of a string, and the incomplete character at the end of some bytes.
 * Source: the Unicode Standard, table 3-7 (well-formed byte sequences).
 */

/**
 * Writes text[start, end) as UTF-8 to `out` and returns the number of bytes: at most three a code unit.
 * A lone surrogate becomes U+FFFD, as in TextEncoder.
 */
export const writeUtf8 = (text: string, start: number, end: number, out: Uint8Array): number => {
  let n = 0
  for (let i = start; i < end; i++) {
    let c = text.charCodeAt(i)
    if (c < 0x80) {
      out[n++] = c
      continue
    }
    if (c >= 0xd800 && c < 0xe000) {
      const low = c < 0xdc00 && i + 1 < end ? text.charCodeAt(i + 1) : 0
      if (low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00)
        out[n++] = 0xf0 | (c >> 18)
        out[n++] = 0x80 | ((c >> 12) & 63)
        out[n++] = 0x80 | ((c >> 6) & 63)
        out[n++] = 0x80 | (c & 63)
        i++
        continue
      }
      c = 0xfffd
    }
    if (c < 0x800) out[n++] = 0xc0 | (c >> 6)
    else {
      out[n++] = 0xe0 | (c >> 12)
      out[n++] = 0x80 | ((c >> 6) & 63)
    }
    out[n++] = 0x80 | (c & 63)
  }
  return n
}

const encoder = new TextEncoder()
/** Text as UTF-8. */
export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text)

// TextDecoder drops a leading byte-order mark unless told not to: it is part of the text (law T1).
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
/** UTF-8 as text; what is malformed becomes U+FFFD. */
export const utf8Text = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Whether `second` may follow the lead byte. */
const follows = (lead: number, second: number): boolean => {
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  return second >= low && second <= high
}

/**
 * Length of the longest end of `bytes` that begins a character and does not finish it: 0 to 3. Bytes before it decode to the
 * same text whatever follows, since a lead byte always begins anew.
 */
export const incompleteTail = (bytes: Uint8Array): number => {
  for (let k = 1; k <= 3 && k <= bytes.length; k++) {
    const lead = bytes[bytes.length - k]
    if (lead >= 0x80 && lead < 0xc0) continue
    const needed =
      lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 1
    return k < needed && (k === 1 || follows(lead, bytes[bytes.length - k + 1])) ? k : 0
  }
  return 0
}

/** The text with U+FFFD for each lone surrogate (`String.prototype.toWellFormed`). */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd')
