/**
 * Uniform numbers in [0, 1).
 *
 * `uniform`: the upper 24 bits of a word times 2^-24. Every value is exact in f32, so engines of either width compare it
 * with a threshold alike (dropout masks are the same everywhere, law R4).
 * `uniform64`: 53 bits of two words times 2^-53, for inverse distribution functions on the host.
 */
import { bits, bitsAt } from './bits.ts'
import type { Key } from './key.ts'

const STEP_24 = 2 ** -24
const STEP_53 = 2 ** -53

/** The first `count` uniform numbers of a key, multiples of 2^-24 in [0, 1). */
export const uniform = (key: Key, count: number): Float32Array => {
  const words = bits(key, count)
  // The words' own memory takes the numbers: a mask of a large activation needs no second array.
  const out = new Float32Array(words.buffer)
  for (let i = 0; i < count; i++) out[i] = (words[i] >>> 8) * STEP_24
  return out
}

/** `uniform(key, n)[index]`, without the others. */
export const uniformAt = (key: Key, index: number): number => (bitsAt(key, index) >>> 8) * STEP_24

/** Two words as a multiple of 2^-53 in [0, 1). */
export const unit53 = (low: number, high: number): number => ((high >>> 5) * 2 ** 26 + (low >>> 6)) * STEP_53

/** Number `index` of a key's stream of 53-bit uniforms in [0, 1), made of words 2 index and 2 index + 1. */
export const uniform64At = (key: Key, index: number): number =>
  unit53(bitsAt(key, 2 * index), bitsAt(key, 2 * index + 1))
