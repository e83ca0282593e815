import { createHash } from 'node:crypto'
import { orThrow } from '../src/codec/decode.ts'
import { utf8 } from '../src/codec/json.ts'
import { InputError } from '../src/errors.ts'
import { readBytes } from './files.ts'

/** A UTF-8 text file, which must not be empty. */
export const readText = (path: string): string => {
  const text = orThrow(utf8(readBytes(path), path))
  if (text === '') throw new InputError(`${path}: expected text, found an empty file`)
  return text
}

/** What tells two texts, or two lists of bytes, apart: SHA-256 of the bytes (UTF-8 of a text), hexadecimal. */
export const digest = (...parts: readonly (string | Uint8Array)[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')
