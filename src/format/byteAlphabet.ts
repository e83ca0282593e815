/**
 * The letters under which GPT-2's files show bytes: printable bytes of Latin-1 show as themselves, the others as U+0100 on.
 * Source: openai/gpt-2 `encoder.py`, `bytes_to_unicode`.
 */
const printable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

const letters: readonly string[] = (() => {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++))
})()

const bytes: ReadonlyMap<string, number> = new Map(letters.map((letter, byte) => [letter, byte]))

/** Bytes as letters. */
export const toByteLetters = (token: Uint8Array): string => Array.from(token, byte => letters[byte]).join('')

/** Letters as bytes, or null where a character is no such letter. */
export const fromByteLetters = (text: string): Uint8Array | null => {
  const token = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const byte = bytes.get(text[i])
    if (byte === undefined) return null
    token[i] = byte
  }
  return token
}
