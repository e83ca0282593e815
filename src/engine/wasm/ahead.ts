/**
 * Between two products that are bound by reading their matrices the caller alone is busy, and the memory idle. A model reads its matrices in
 * the same order at each token: so an idle worker reads the beginning of its next share into its cache, and stops when that is called.
 */

/** A matrix as a call split it. Bytes. */
export interface Reading {
  /** Of the last share, which the first worker takes. */
  last: number
  /** From a share to the next. */
  step: number
  /** Of a third of the last share: all three are read side by side (assembly/gemv.ts). */
  third: number
  shares: number
  /** What was read after it the last time. */
  next: Reading | null
}

/** More matrices than a model has. */
const MOST = 10_000

export class Ahead {
  readonly #known = new Map<number, Reading>()
  #latest: Reading | null = null

  /** Takes note that the matrix at `address` is read now; what will be read after it, where that is known. */
  reads(address: number, last: number, step: number, third: number, shares: number): Reading | null {
    let reading = this.#known.get(address)
    if (reading === undefined) {
      if (this.#known.size === MOST) this.#known.clear()
      reading = { last, step, third, shares, next: null }
      this.#known.set(address, reading)
    } else Object.assign(reading, { last, step, third, shares })
    if (this.#latest !== null) this.#latest.next = reading
    this.#latest = reading
    return reading.next
  }
}
