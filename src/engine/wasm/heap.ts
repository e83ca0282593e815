/**
 * An allocator of addresses in one growing space: two-level segregated fit (Masmano et al., "TLSF", ECRTS 2004).
 * Constant time; free neighbours merge; sizes are rounded up to one of 32 classes an octave (at most 3 % waste), so a
 * freed block always serves its size again and steps that allocate alike never grow. Books are kept on the host.
 */

/** A run of bytes, free or taken. */
export interface Block {
  readonly address: number
  readonly bytes: number
}

class Run implements Block {
  address: number
  bytes: number
  free = false
  /** Neighbours in address order. */
  before: Run | null = null
  after: Run | null = null
  /** Neighbours in the free list of its class. */
  previous: Run | null = null
  next: Run | null = null

  constructor(address: number, bytes: number) {
    this.address = address
    this.bytes = bytes
  }
}

/** Alignment and unit of every block: a cache line. */
export const LINE = 64
const CLASSES_BITS = 5
const CLASSES = 1 << CLASSES_BITS

const octaveOf = (units: number): number => Math.max(0, 31 - Math.clz32(units) - CLASSES_BITS + 1)
const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits)

/** Units rounded up to the next class. */
const roundUp = (bytes: number): number => {
  const units = Math.max(1, Math.ceil(bytes / LINE))
  const step = 2 ** Math.max(0, octaveOf(units) - 1)
  return Math.ceil(units / step) * step
}

export class Heap {
  /** Asks for `bytes` more at the end of the space; returns how many were added, 0 if it cannot. */
  readonly #grow: (bytes: number) => number
  readonly #lists = new Array<Run | null>(32 * CLASSES).fill(null)
  /** Bit c of #filled[o]: list of octave o, class c is not empty; bit o of #octaves: #filled[o] is not 0. */
  readonly #filled = new Int32Array(32)
  #octaves = 0
  #last: Run | null = null
  #end: number
  /** Bytes in taken blocks. */
  taken = 0

  constructor(start: number, grow: (bytes: number) => number) {
    this.#end = start
    this.#grow = grow
  }

  /** A block of at least `bytes`, or null when the space cannot grow. */
  allocate(bytes: number): Block | null {
    const units = roundUp(bytes)
    const run = this.#find(units) ?? (this.#extend(units * LINE) ? this.#find(units) : null)
    if (run === null) return null
    this.#unlist(run)
    this.#split(run, units * LINE)
    run.free = false
    this.taken += run.bytes
    return run
  }

  release(block: Block): void {
    if (!(block instanceof Run) || block.free) throw new RangeError('a block was released twice')
    this.taken -= block.bytes
    let run = block
    run.free = true
    if (run.after?.free) {
      this.#unlist(run.after)
      this.#absorb(run)
    }
    if (run.before?.free) {
      run = run.before
      this.#unlist(run)
      this.#absorb(run)
    }
    this.#enlist(run)
  }

  /** Joins a run with the one after it. */
  #absorb(run: Run): void {
    const { after } = run
    if (after === null) return
    run.bytes += after.bytes
    run.after = after.after
    if (run.after === null) this.#last = run
    else run.after.before = run
  }

  #split(run: Run, bytes: number): void {
    if (run.bytes - bytes < LINE) return
    const rest = new Run(run.address + bytes, run.bytes - bytes)
    rest.free = true
    rest.before = run
    rest.after = run.after
    if (rest.after === null) this.#last = rest
    else rest.after.before = rest
    run.after = rest
    run.bytes = bytes
    this.#enlist(rest)
  }

  #extend(bytes: number): boolean {
    const missing = this.#last?.free ? bytes - this.#last.bytes : bytes
    const added = this.#grow(missing)
    if (added < missing) return false
    const run = new Run(this.#end, added)
    run.before = this.#last
    if (this.#last !== null) this.#last.after = run
    this.#last = run
    this.#end += added
    // Taken for a moment, so that releasing merges it with a free end.
    this.taken += added
    this.release(run)
    return true
  }

  /** First free run of a class whose every member holds `units`. */
  #find(units: number): Run | null {
    const octave = octaveOf(units)
    const classes = (this.#filled[octave] ?? 0) & (-1 << this.#classOf(units, octave))
    if (classes !== 0) return this.#lists[octave * CLASSES + lowestBit(classes)] ?? null
    const octaves = octave === 31 ? 0 : this.#octaves & (-1 << (octave + 1))
    if (octaves === 0) return null
    const larger = lowestBit(octaves)
    return this.#lists[larger * CLASSES + lowestBit(this.#filled[larger] ?? 0)] ?? null
  }

  #classOf(units: number, octave: number): number {
    return octave === 0 ? units : Math.floor(units / 2 ** (octave - 1)) - CLASSES
  }

  #enlist(run: Run): void {
    const units = run.bytes / LINE
    const octave = octaveOf(units)
    const kind = this.#classOf(units, octave)
    const at = octave * CLASSES + kind
    const first = this.#lists[at] ?? null
    run.next = first
    run.previous = null
    if (first !== null) first.previous = run
    this.#lists[at] = run
    this.#filled[octave] = (this.#filled[octave] ?? 0) | (1 << kind)
    this.#octaves |= 1 << octave
  }

  #unlist(run: Run): void {
    if (run.next !== null) run.next.previous = run.previous
    if (run.previous !== null) {
      run.previous.next = run.next
    } else {
      const units = run.bytes / LINE
      const octave = octaveOf(units)
      const kind = this.#classOf(units, octave)
      this.#lists[octave * CLASSES + kind] = run.next
      if (run.next === null) {
        const left = (this.#filled[octave] ?? 0) & ~(1 << kind)
        this.#filled[octave] = left
        if (left === 0) this.#octaves &= ~(1 << octave)
      }
    }
    run.next = null
    run.previous = null
  }
}
