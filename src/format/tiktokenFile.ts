/** `.tiktoken` files: one token a line, its bytes in base64, a space, its rank (which is its id). Source: openai/tiktoken `load.py`. */
import { InputError } from '../errors.ts'

const GREATEST_ID = 2 ** 21 - 1

const bytesOf = (base64: string): Uint8Array | null => {
  try {
    const text = atob(base64)
    const bytes = new Uint8Array(text.length)
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
    return bytes.length > 0 ? bytes : null
  } catch {
    return null
  }
}

/** Bytes by rank. Throws an InputError that names the line. */
export const parseTiktoken = (text: string, where: string): (Uint8Array | undefined)[] => {
  const tokens: (Uint8Array | undefined)[] = []
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return
    const refuse = (expected: string, found: string) =>
      new InputError(`${where}: line ${index + 1}: expected ${expected}, found ${JSON.stringify(found.slice(0, 60))}`)
    const match = /^(\S+) (\d{1,7})\r?$/.exec(line)
    if (match === null) throw refuse('base64, a space and a rank', line)
    const [bytes, rank] = [bytesOf(match[1]), Number(match[2])]
    if (bytes === null) throw refuse('base64 of at least one byte', match[1])
    if (rank > GREATEST_ID || tokens[rank] !== undefined) throw refuse('a rank that was not given before', match[2])
    tokens[rank] = bytes
  })
  if (tokens.length === 0) throw new InputError(`${where}: expected tokens, found none`)
  return tokens
}
