/**
 * Learns byte-pair merges: again and again the most frequent pair of neighbours becomes a new token.
 * merge_i = argmax over pairs of (count, then the smaller pair), and makes id 256 + i; counts include overlapping pairs.
 * Near-linear: an indexed heap of pairs, and for each pair the places where it stood when it arose; a merge visits only its places.
 * Source: Sennrich et al. 1508.07909, algorithm 1; Zouhar et al. 2306.16837 (the heap). Law T7.
 */
import { IndexedHeap } from './indexedHeap.ts'
import type { MergeList } from './model.ts'
import { utf8Bytes } from './utf8.ts'

const IDS = 2 ** 21
const BYTES = 256

/**
 * Up to `limit` merges of the counted pieces, fewer where no pair is left that occurs `minimumCount` times. Does not depend on the
 * order of the pieces.
 */
export const learnMerges = (
  pieces: Iterable<readonly [piece: string, count: number]>,
  limit: number,
  minimumCount = 1,
): MergeList => {
  // All pieces one after another: the symbol at each place (-1 once merged away), its neighbours, the count of its piece.
  const symbols: number[] = []
  const next: number[] = []
  const previous: number[] = []
  const weights: number[] = []
  for (const [piece, weight] of pieces) {
    const bytes = utf8Bytes(piece)
    bytes.forEach((byte, i) => {
      const at = symbols.length
      symbols.push(byte)
      previous.push(i === 0 ? -1 : at - 1)
      next.push(i === bytes.length - 1 ? -1 : at + 1)
      weights.push(weight)
    })
  }

  // Pairs by number, in the order in which they arose.
  const numbers = new Map<number, number>()
  const keys: number[] = []
  const counts: number[] = []
  const places: number[][] = []
  const heap = new IndexedHeap((a, b) => counts[a] > counts[b] || (counts[a] === counts[b] && keys[a] < keys[b]))

  const count = (left: number, right: number, at: number, weight: number) => {
    const key = left * IDS + right
    let pair = numbers.get(key)
    if (pair === undefined) {
      pair = keys.length
      numbers.set(key, pair)
      keys.push(key)
      counts.push(0)
      places.push([])
      heap.add(pair)
    }
    counts[pair] += weight
    // Places come in rising order, since a pair only arises while its newer half is being made.
    if (weight > 0) places[pair].push(at)
    heap.update(pair)
  }

  for (let at = 0; at < symbols.length; at++) {
    if (next[at] >= 0) count(symbols[at], symbols[next[at]], at, weights[at])
  }

  const merges: [number, number][] = []
  while (merges.length < limit) {
    const best = heap.first()
    if (best < 0 || counts[best] < Math.max(1, minimumCount)) break
    const [left, right] = [Math.floor(keys[best] / IDS), keys[best] % IDS]
    const made = BYTES + merges.length
    merges.push([left, right])
    const standing = places[best]
    places[best] = []
    for (const at of standing) {
      const gone = next[at]
      // Another merge has been here since.
      if (symbols[at] !== left || gone < 0 || symbols[gone] !== right) continue
      const [before, after, weight] = [previous[at], next[gone], weights[at]]
      count(left, right, at, -weight)
      if (before >= 0) count(symbols[before], left, before, -weight)
      if (after >= 0) count(right, symbols[after], gone, -weight)
      symbols[at] = made
      symbols[gone] = -1
      next[at] = after
      if (after >= 0) previous[after] = at
      if (before >= 0) count(symbols[before], made, before, weight)
      if (after >= 0) count(made, symbols[after], at, weight)
    }
  }
  return merges
}
