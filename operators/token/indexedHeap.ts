/** A binary heap of items 0, 1, 2 … that knows where each item is, so that an item whose order has changed moves in O(log n). */
export class IndexedHeap {
  readonly #items: number[] = []
  /** Place of each item in `#items`. */
  readonly #places: number[] = []
  readonly #before: (a: number, b: number) => boolean

  /** `before(a, b)`: a comes out before b. A strict total order. */
  constructor(before: (a: number, b: number) => boolean) {
    this.#before = before
  }

  /** The first item, or -1. */
  first(): number {
    return this.#items.length > 0 ? this.#items[0] : -1
  }

  /** Adds the item whose number is the count of items so far. */
  add(item: number): void {
    this.#places[item] = this.#items.length
    this.#items.push(item)
    this.#up(item)
  }

  /** Moves an item whose order has changed. */
  update(item: number): void {
    this.#up(item)
    this.#down(item)
  }

  #up(item: number): void {
    let at = this.#places[item]
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(item, this.#items[parent])) break
      this.#put(this.#items[parent], at)
      at = parent
    }
    this.#put(item, at)
  }

  #down(item: number): void {
    let at = this.#places[item]
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#items.length) break
      if (child + 1 < this.#items.length && this.#before(this.#items[child + 1], this.#items[child])) child++
      if (!this.#before(this.#items[child], item)) break
      this.#put(this.#items[child], at)
      at = child
    }
    this.#put(item, at)
  }

  #put(item: number, at: number): void {
    this.#items[at] = item
    this.#places[item] = at
  }
}
