/**
 * Standard normal numbers by the Box-Muller transform in f64: with u in (0, 1] and v in [0, 1),
 *   z₀ = √(−2 ln u) cos 2πv,   z₁ = √(−2 ln u) sin 2πv.
 * Numbers 2j and 2j + 1 use the four words of block j (53 bits for each of u and v), so the stream is addressable by index
 * (law R4), in pairs. Moments and distribution: law R3.
 *
 * Source: Box and Muller, "A note on the generation of random normal deviates", 1958.
 */
import { bits, bitsAt } from './bits.ts'
import type { Key } from './key.ts'
import { unit53 } from './uniform.ts'

const radius = (low: number, high: number) => Math.sqrt(-2 * Math.log(1 - unit53(low, high)))
const angle = (low: number, high: number) => 2 * Math.PI * unit53(low, high)

/** The first `count` standard normal numbers of a key. */
export const normal = (key: Key, count: number): Float64Array => {
  const words = bits(key, 2 * (count + (count % 2)))
  const out = new Float64Array(count)
  for (let i = 0; i < count; i += 2) {
    const [a, b, c, d] = [words[2 * i], words[2 * i + 1], words[2 * i + 2], words[2 * i + 3]]
    const r = radius(a, b)
    const theta = angle(c, d)
    out[i] = r * Math.cos(theta)
    if (i + 1 < count) out[i + 1] = r * Math.sin(theta)
  }
  return out
}

/** `normal(key, n)[index]`, without the others. */
export const normalAt = (key: Key, index: number): number => {
  const start = 4 * Math.floor(index / 2)
  const r = radius(bitsAt(key, start), bitsAt(key, start + 1))
  const theta = angle(bitsAt(key, start + 2), bitsAt(key, start + 3))
  return r * (index % 2 === 0 ? Math.cos(theta) : Math.sin(theta))
}
