/**
 * An allocator of addresses in one growing space: two-level segregated fit (Masmano et al., "TLSF", ECRTS 2004).
 * Constant time; free neighbours merge; sizes are rounded up to one of 32 classes an octave (at most 3 % waste), so a
 * freed block always serves its size again and steps that allocate alike never grow. Books are kept on the host.
 * A released block first waits unmerged for the next request of its class; all are merged before the space would grow.
 */

/** A run of bytes, free or taken. */
export interface Block {
  readonly address: number
  readonly bytes: number
}

class Run implements Block {
  address: number
  bytes: number
  /** Held by a caller. */
  taken = false
  /** In a free list; a run neither taken nor free waits for a request of its class. */
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
/** What 32 bits can address. */
const LARGEST = 2 ** 32
const CLASSES_BITS = 5
const CLASSES = 1 << CLASSES_BITS

const octaveOf = (units: number): number => (units < CLASSES ? 0 : 32 - Math.clz32(units) - CLASSES_BITS)
const classOf = (units: number, octave: number): number => (octave === 0 ? units : (units >> (octave - 1)) - CLASSES)
const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits)

/** Units rounded up to the next class. */
const roundUp = (bytes: number): number => {
  const units = Math.max(1, Math.ceil(bytes / LINE))
  const octave = octaveOf(units)
  if (octave === 0) return units
  const finer = (1 << (octave - 1)) - 1
  return (units + finer) & ~finer
}

export class Heap {
  /** Asks for `bytes` more at the end of the space; returns how many were added, 0 if it cannot. */
  readonly #grow: (bytes: number) => number
  /** Released runs by class, unmerged. */
  readonly #waiting: (Run[] | null)[] = new Array<Run[] | null>(32 * CLASSES).fill(null)
  #waitingRuns = 0
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

  /** A block of at least `bytes`, or null when the space cannot grow; of a size that is none there is none either. */
  allocate(bytes: number): Block | null {
    if (!(bytes >= 0 && bytes <= LARGEST)) return null
    const units = roundUp(bytes)
    const octave = octaveOf(units)
    const run = this.#waiting[octave * CLASSES + classOf(units, octave)]?.pop()
    if (run === undefined) return this.#cut(units)
    this.#waitingRuns--
    return this.#hand(run)
  }

  release(block: Block): void {
    if (!(block instanceof Run) || !block.taken) throw new RangeError('a block was released twice')
    block.taken = false
    this.taken -= block.bytes
    const units = block.bytes / LINE
    const octave = octaveOf(units)
    const at = octave * CLASSES + classOf(units, octave)
    const waiting = this.#waiting[at]
    if (waiting) waiting.push(block)
    else this.#waiting[at] = [block]
    this.#waitingRuns++
  }

  #hand(run: Run): Run {
    run.taken = true
    this.taken += run.bytes
    return run
  }

  /** Takes a block from the free lists, merging what waits, then growing, where they have none. */
  #cut(units: number): Run | null {
    let run = this.#find(units)
    if (run === null && this.#waitingRuns > 0) {
      for (const waiting of this.#waiting) while (waiting && waiting.length > 0) this.#merge(waiting.pop())
      this.#waitingRuns = 0
      run = this.#find(units)
    }
    if (run === null && this.#extend(units * LINE)) run = this.#find(units)
    if (run === null) return null
    this.#unlist(run)
    run.free = false
    this.#split(run, units * LINE)
    return this.#hand(run)
  }

  /** Frees a run, joined with its free neighbours. */
  #merge(freed: Run | undefined): void {
    if (freed === undefined) return
    let run = freed
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
    this.#merge(run)
    return true
  }

  /** First free run of a class whose every member holds `units`. */
  #find(units: number): Run | null {
    const octave = octaveOf(units)
    const classes = this.#filled[octave] & (-1 << classOf(units, octave))
    if (classes !== 0) return this.#lists[octave * CLASSES + lowestBit(classes)]
    const octaves = octave === 31 ? 0 : this.#octaves & (-1 << (octave + 1))
    if (octaves === 0) return null
    const larger = lowestBit(octaves)
    return this.#lists[larger * CLASSES + lowestBit(this.#filled[larger])]
  }

  #enlist(run: Run): void {
    const units = run.bytes / LINE
    const octave = octaveOf(units)
    const kind = classOf(units, octave)
    const at = octave * CLASSES + kind
    const first = this.#lists[at]
    run.next = first
    run.previous = null
    if (first !== null) first.previous = run
    this.#lists[at] = run
    this.#filled[octave] = this.#filled[octave] | (1 << kind)
    this.#octaves |= 1 << octave
  }

  #unlist(run: Run): void {
    if (run.next !== null) run.next.previous = run.previous
    if (run.previous !== null) {
      run.previous.next = run.next
    } else {
      const units = run.bytes / LINE
      const octave = octaveOf(units)
      const kind = classOf(units, octave)
      this.#lists[octave * CLASSES + kind] = run.next
      if (run.next === null) {
        const left = this.#filled[octave] & ~(1 << kind)
        this.#filled[octave] = left
        if (left === 0) this.#octaves &= ~(1 << octave)
      }
    }
    run.next = null
    run.previous = null
  }
}
