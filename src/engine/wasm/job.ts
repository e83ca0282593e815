/**
 * The description of a kernel call that threads share, in the control block (worker.ts): its arguments in order, and how each changes from share
 * to share.
 */
import { Ahead } from './ahead.ts'
import { type Kernels, kernelNames } from './binary.generated.ts'
import { layout as l } from './worker.ts'

export class Job {
  /** Threads, the caller's included. */
  readonly count: number
  /** As `layout` says. */
  protected readonly numbers: Float64Array
  readonly #ahead = new Ahead()
  #shares = 0
  #chunk = 0
  #total = 0
  #arguments = 0
  #moves = 0

  constructor(count: number, numbers: Float64Array) {
    this.count = count
    this.numbers = numbers
  }

  protected get shares(): number {
    return this.#shares
  }

  /** Cuts `total` units of work into shares of `chunk`; how many there are. */
  protected cut(total: number, chunk: number): number {
    this.#total = total
    this.#chunk = chunk
    this.#shares = Math.ceil(total / chunk)
    return this.#shares
  }

  /** Completes the description. */
  protected finish(): void {
    const numbers = this.numbers
    numbers[l.TOTAL] = this.#total
    numbers[l.CHUNK] = this.#chunk
    numbers[l.ARGUMENTS] = this.#arguments
    numbers[l.MOVES] = this.#moves
  }

  begin(kernel: keyof Kernels): this {
    this.numbers[l.KERNEL] = kernelNames.indexOf(kernel)
    this.numbers[l.AHEAD_THIRD] = 0
    this.numbers[l.SERIAL]++
    this.numbers[l.AGAIN] = -1
    this.#arguments = 0
    this.#moves = 0
    return this
  }

  /** The call reads the matrix at `address` once and in order, `bytes` a unit of work: workers may read ahead what follows it. */
  reads(address: number, bytes: number): this {
    const first = (this.#shares - 1) * this.#chunk
    const third = Math.floor((this.#total - first) / 3)
    const next = this.#ahead.reads(address, address + bytes * first, bytes * this.#chunk, bytes * third, this.#shares)
    // Each worker reads the beginning of another share.
    if (next === null || next.shares < this.count - 1) return this
    this.numbers[l.AHEAD_LAST] = next.last
    this.numbers[l.AHEAD_STEP] = next.step
    this.numbers[l.AHEAD_THIRD] = next.third
    return this
  }

  /** An argument that is the same for every share. */
  same(value: number): this {
    this.numbers[l.FIRST + this.#arguments++] = value
    return this
  }

  /** An address that moves by `bytes` a unit of work; 0 stays 0, which means absent. */
  moving(address: number, bytes: number): this {
    return this.#moved(address, address === 0 ? 0 : bytes, 0, 0)
  }

  /** The share's number of units. */
  size(): this {
    return this.#moved(0, 0, 1, 0)
  }

  /** The share's first unit, when the call's is `from`. */
  first(from: number): this {
    return this.#moved(from, 1, 0, 0)
  }

  /** The unit behind the share's last one. */
  end(from: number): this {
    return this.#moved(from, 1, 1, 0)
  }

  /** 1 where the thread has run a share of this call before, else 0. */
  again(): this {
    this.numbers[l.AGAIN] = this.#arguments
    return this.same(0)
  }

  /** An address of `bytes` for each thread. */
  scratch(address: number, bytes: number): this {
    return this.#moved(address, 0, 0, bytes)
  }

  #moved(value: number, perUnitBefore: number, perUnit: number, perThread: number): this {
    const numbers = this.numbers
    const at = l.FIRST_MOVE + 4 * this.#moves++
    numbers[at] = this.#arguments
    numbers[at + 1] = perUnitBefore
    numbers[at + 2] = perUnit
    numbers[at + 3] = perThread
    return this.same(value)
  }
}
