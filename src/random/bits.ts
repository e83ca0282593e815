/**
 * Uniform 32-bit words. Word i of a key is word i mod 4 of the Philox block at counter (⌊i/4⌋ low, ⌊i/4⌋ high, 0, 0), so
 * `bits(key, n)[i] = bitsAt(key, i)` (law R4).
 */
import type { Key } from './key.ts'
import { philox } from './philox.ts'

const TWO_32 = 2 ** 32

/** The first `count` words of a key's stream. */
export const bits = (key: Key, count: number): Uint32Array => {
  const whole = count - (count % 4)
  const out = new Uint32Array(count)
  for (let i = 0; i < whole; i += 4) philox(out, i, i / 4, Math.floor(i / 4 / TWO_32), 0, 0, key[0], key[1])
  for (let i = whole; i < count; i++) out[i] = bitsAt(key, i)
  return out
}

/**
 * Word `index` of a key's stream, an integer in [0, 2^32). `attempt` reads an independent word of the same index, for
 * rejection sampling.
 */
export const bitsAt = (key: Key, index: number, attempt = 0): number => {
  const block = new Uint32Array(4)
  const position = Math.floor(index / 4)
  philox(block, 0, position, Math.floor(position / TWO_32), attempt, 0, key[0], key[1])
  return block[index % 4]
}
