/** Results that take minutes, kept in the bench's cache, so that a run that was cut off goes on where it was. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as t from 'io-ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { commit } from './machine.ts'

export interface Remembered<A> {
  readonly result: A
  /** What it was computed by: the commit of then. */
  readonly from: string
}

/**
 * The result of `make`, or what it gave for the same name and settings before. What the code computes is not part of the settings: after a change that matters,
 * remove `bench/.cache/results`.
 */
export const remember = async <A>(
  cache: string,
  name: string,
  settings: Readonly<Record<string, number | string>>,
  codec: t.Type<A, unknown>,
  make: () => Promise<A>,
): Promise<Remembered<A>> => {
  const id = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12)
  const file = join(cache, 'results', `${name}-${id}.json`)
  if (existsSync(file)) {
    const { from, result } = JSON.parse(readFileSync(file, 'utf8'))
    return { from: String(from), result: decodeOrThrow(codec, result, file) }
  }
  const result = await make()
  const from = commit(dirname(fileURLToPath(import.meta.url)))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify({ settings, from, result: codec.encode(result) }))
  return { result, from }
}
