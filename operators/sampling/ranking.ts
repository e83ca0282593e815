/**
 * Tokens from the most probable down, ties by lower id first, -Infinity left out: a binary heap that is built in O(V) and gives
 * the k best in O(k log V). Top-k and top-p need few of many, so that nothing is sorted whole.
 */
export class Ranking {
  readonly #logits: Float64Array
  readonly #heap: Uint32Array
  #size = 0

  constructor(logits: Float64Array) {
    this.#logits = logits
    this.#heap = new Uint32Array(logits.length)
    for (let id = 0; id < logits.length; id++) if (logits[id] > -Infinity) this.#heap[this.#size++] = id
    for (let at = (this.#size >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  /** How many are left. */
  get size(): number {
    return this.#size
  }

  /** Takes the best one left; -1 when there is none. */
  next(): number {
    if (this.#size === 0) return -1
    const best = this.#heap[0]
    this.#heap[0] = this.#heap[--this.#size]
    this.#sink(0)
    return best
  }

  /** Removes from the logits the tokens not taken. */
  removeRest(): void {
    for (let at = 0; at < this.#size; at++) this.#logits[this.#heap[at]] = -Infinity
    this.#size = 0
  }

  #before(x: number, y: number): boolean {
    const difference = this.#logits[x] - this.#logits[y]
    return difference > 0 || (!(difference < 0) && x < y)
  }

  #sink(start: number): void {
    const heap = this.#heap
    const id = heap[start]
    let at = start
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && this.#before(heap[child + 1], heap[child])) child++
      if (!this.#before(heap[child], id)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = id
  }
}
