/**
 * Unbiased integers in [0, bound), by rejection: a word w is taken when w < ⌊2^32 / bound⌋ bound, and then w mod bound is
 * exactly uniform; otherwise the next attempt of the same index is read. So the stream stays addressable by index (law R4).
 */
import { InputError } from '../errors.ts'
import { bits, bitsAt } from './bits.ts'
import type { Key } from './key.ts'

const TWO_32 = 2 ** 32

const limitOf = (bound: number): number => {
  if (!Number.isInteger(bound) || bound < 1 || bound > TWO_32) {
    throw new InputError(`integers: expected a bound in [1, 2^32], found ${bound}`)
  }
  return TWO_32 - (TWO_32 % bound)
}

const accept = (key: Key, index: number, bound: number, limit: number, first: number): number => {
  let word = first
  for (let attempt = 1; word >= limit; attempt++) word = bitsAt(key, index, attempt)
  return word % bound
}

/** The first `count` integers of a key, each uniform in [0, bound); `bound` is an integer in [1, 2^32]. */
export const integers = (key: Key, count: number, bound: number): Uint32Array => {
  const limit = limitOf(bound)
  const out = bits(key, count)
  for (let i = 0; i < count; i++) out[i] = accept(key, i, bound, limit, out[i])
  return out
}

/** `integers(key, n, bound)[index]`, without the others. */
export const integerAt = (key: Key, index: number, bound: number): number =>
  accept(key, index, bound, limitOf(bound), bitsAt(key, index))
