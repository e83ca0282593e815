/**
 * A uniformly random order of 0 … n−1: Fisher and Yates' shuffle in Durstenfeld's form, with exactly uniform indices.
 * Source: Durstenfeld, "Algorithm 235: random permutation", 1964.
 */
import { integerAt } from './integers.ts'
import type { Key } from './key.ts'

/** Each of 0 … count−1 once; every order equally likely. */
export const permutation = (key: Key, count: number): Uint32Array => {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let last = count - 1; last > 0; last--) {
    const other = integerAt(key, last, last + 1)
    const kept = order[last]
    order[last] = order[other]
    order[other] = kept
  }
  return order
}
