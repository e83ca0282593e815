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

/** What tells two texts apart: SHA-256 of the UTF-8 bytes, hexadecimal. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
