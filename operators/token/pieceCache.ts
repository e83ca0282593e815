/**
 * Ids of pieces met before, found by a span of the text without making a string. Bounded: when full it begins anew.
 * Exact: a hit compares every code unit.
 */
import type { IdList } from './idList.ts'

const LONGEST = 64
const ENTRIES = 1 << 16
const SLOTS = ENTRIES * 2

/** The array, or a larger one of the same contents. */
const withRoom = <A extends Int32Array | Uint16Array>(array: A, needed: number, make: (length: number) => A): A => {
  if (needed <= array.length) return array
  const grown = make(Math.max(needed, array.length * 2))
  grown.set(array)
  return grown
}
const int32 = (length: number) => new Int32Array(length)
const uint16 = (length: number) => new Uint16Array(length)

export class PieceCache {
  #count = 0
  /** Entry + 1 by slot; 0 is free. */
  #slots = new Int32Array(1 << 10)
  #hashes = new Int32Array(256)
  /** Entry e has the code units [unitEnds[e], unitEnds[e + 1]) and the ids [idEnds[e], idEnds[e + 1]). */
  #unitEnds = new Int32Array(257)
  #idEnds = new Int32Array(257)
  #units = new Uint16Array(2048)
  #ids = new Int32Array(1024)
  #missed = 0

  /** Appends the ids of text[start, end) to `out` and returns true, or returns false where they are not known. */
  copy(text: string, start: number, end: number, out: IdList): boolean {
    const length = end - start
    if (length > LONGEST) return false
    let hash = length
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    hash ^= hash >>> 15
    this.#missed = hash
    const [slots, units, unitEnds] = [this.#slots, this.#units, this.#unitEnds]
    const mask = slots.length - 1
    for (let at = hash & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const entry = slots[at] - 1
      const from = unitEnds[entry]
      if (this.#hashes[entry] !== hash || unitEnds[entry + 1] - from !== length) continue
      let i = 0
      while (i < length && units[from + i] === text.charCodeAt(start + i)) i++
      if (i < length) continue
      const last = this.#idEnds[entry + 1]
      for (let id = this.#idEnds[entry]; id < last; id++) out.push(this.#ids[id])
      return true
    }
    return false
  }

  /** Remembers that text[start, end), the piece that `copy` has just missed, has the ids of `out` from `from` on. */
  add(text: string, start: number, end: number, out: IdList, from: number): void {
    if (end - start > LONGEST) return
    if (this.#count === ENTRIES) this.#clear()
    const entry = this.#count++
    this.#hashes = withRoom(this.#hashes, entry + 1, int32)
    this.#unitEnds = withRoom(this.#unitEnds, entry + 2, int32)
    this.#idEnds = withRoom(this.#idEnds, entry + 2, int32)
    let unit = this.#unitEnds[entry]
    this.#units = withRoom(this.#units, unit + end - start, uint16)
    for (let i = start; i < end; i++) this.#units[unit++] = text.charCodeAt(i)
    let id = this.#idEnds[entry]
    this.#ids = withRoom(this.#ids, id + out.length - from, int32)
    for (let i = from; i < out.length; i++) this.#ids[id++] = out.ids[i]
    this.#hashes[entry] = this.#missed
    this.#unitEnds[entry + 1] = unit
    this.#idEnds[entry + 1] = id
    if (this.#count * 2 > this.#slots.length && this.#slots.length < SLOTS) this.#rehash()
    else this.#occupy(entry)
  }

  #occupy(entry: number): void {
    const mask = this.#slots.length - 1
    let at = this.#hashes[entry] & mask
    while (this.#slots[at] !== 0) at = (at + 1) & mask
    this.#slots[at] = entry + 1
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2)
    for (let entry = 0; entry < this.#count; entry++) this.#occupy(entry)
  }

  #clear(): void {
    this.#count = 0
    this.#slots.fill(0)
  }
}
