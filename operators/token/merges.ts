/**
 * Byte-pair merging: of all neighbours that merge, the one of least precedence, the leftmost among equals, until none is left.
 * Source: Sennrich et al. 1508.07909; llama2.c `encode` (by score); tiktoken `byte_pair_merge` (by rank).
 * Law T6: scanning, a heap, and applying all merges in training order give the same ids.
 */

export interface Merges {
  /** Index of the merge of two neighbours, or -1. */
  find(left: number, right: number): number
  /** By index: the lower, the earlier. */
  readonly precedence: Int32Array
  /** By index: the id that replaces the two. */
  readonly result: Int32Array
}

/** Merges the first `length` of `symbols` in place and returns how many are left: O(n²), the faster for words. */
export const mergeByScan = (merges: Merges, symbols: Int32Array, length: number): number => {
  const { precedence, result } = merges
  const found = new Int32Array(length)
  let n = length
  for (let i = 0; i + 1 < n; i++) found[i] = merges.find(symbols[i], symbols[i + 1])
  for (;;) {
    let best = -1
    for (let i = 0; i + 1 < n; i++) {
      if (found[i] >= 0 && (best < 0 || precedence[found[i]] < precedence[found[best]])) best = i
    }
    if (best < 0) return n
    symbols[best] = result[found[best]]
    n--
    symbols.copyWithin(best + 1, best + 2, n + 1)
    found.copyWithin(best + 1, best + 2, n)
    if (best + 1 < n) found[best] = merges.find(symbols[best], symbols[best + 1])
    if (best > 0) found[best - 1] = merges.find(symbols[best - 1], symbols[best])
  }
}

const POSITIONS = 2 ** 31

/** A binary heap of numbers, least first. */
class NumberHeap {
  readonly keys: Float64Array
  size = 0

  constructor(capacity: number) {
    this.keys = new Float64Array(capacity)
  }

  push(key: number): void {
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.keys[parent] <= key) break
      this.keys[at] = this.keys[parent]
      at = parent
    }
    this.keys[at] = key
  }

  pop(): number {
    const least = this.keys[0]
    const key = this.keys[--this.size]
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.size) break
      if (child + 1 < this.size && this.keys[child + 1] < this.keys[child]) child++
      if (this.keys[child] >= key) break
      this.keys[at] = this.keys[child]
      at = child
    }
    this.keys[at] = key
    return least
  }
}

/** As `mergeByScan`, in O(n log n): for texts that are not split into words. */
export const mergeByHeap = (merges: Merges, symbols: Int32Array, length: number): number => {
  const { precedence, result } = merges
  // A linked list over positions; a key is (precedence, position). Each merge takes one key and adds at most two.
  const next = Int32Array.from({ length }, (_, i) => (i + 1 < length ? i + 1 : -1))
  const previous = Int32Array.from({ length }, (_, i) => i - 1)
  const found = new Int32Array(length).fill(-1)
  const heap = new NumberHeap(3 * length)
  const offer = (at: number) => {
    found[at] = next[at] < 0 ? -1 : merges.find(symbols[at], symbols[next[at]])
    if (found[at] >= 0) heap.push(precedence[found[at]] * POSITIONS + at)
  }
  for (let i = 0; i < length; i++) offer(i)
  while (heap.size > 0) {
    const key = heap.pop()
    const at = key % POSITIONS
    // An older key of a neighbour that has changed since.
    if (found[at] < 0 || precedence[found[at]] !== Math.floor(key / POSITIONS)) continue
    const gone = next[at]
    symbols[at] = result[found[at]]
    found[gone] = -1
    next[at] = next[gone]
    if (next[at] >= 0) previous[next[at]] = at
    offer(at)
    if (previous[at] >= 0) offer(previous[at])
  }
  let n = 0
  for (let at = length > 0 ? 0 : -1; at >= 0; at = next[at]) symbols[n++] = symbols[at]
  return n
}

const SCAN_LIMIT = 48

/** Merges in place by whichever way is faster at this length. */
export const merge = (merges: Merges, symbols: Int32Array, length: number): number =>
  length <= SCAN_LIMIT ? mergeByScan(merges, symbols, length) : mergeByHeap(merges, symbols, length)
