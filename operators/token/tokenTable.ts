/** Tokens by their bytes: an open-addressed hash table over one pool, asked for spans without copying them. */

const FNV_PRIME = 0x01000193
const FNV_OFFSET = 0x811c9dc5
const spread = (hash: number) => hash ^ (hash >>> 15)

const hashOf = (bytes: Uint8Array, start: number, end: number, from = FNV_OFFSET): number => {
  let hash = from
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], FNV_PRIME)
  return hash
}

const equal = (a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean => {
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false
  return true
}

export class TokenTable {
  readonly size: number
  readonly #pool: Uint8Array
  /** Token id occupies pool[offsets[id], offsets[id + 1]). */
  readonly #offsets: Int32Array
  readonly #slots: Int32Array

  /** Ids left out or empty are not found; of equal tokens the first is. */
  constructor(tokens: readonly (Uint8Array | undefined)[]) {
    this.size = tokens.length
    this.#offsets = new Int32Array(tokens.length + 1)
    for (let id = 0; id < tokens.length; id++) this.#offsets[id + 1] = this.#offsets[id] + (tokens[id]?.length ?? 0)
    this.#pool = new Uint8Array(this.#offsets[tokens.length])
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(16, tokens.length * 2)))).fill(-1)
    for (let id = 0; id < tokens.length; id++) {
      const token = tokens[id]
      if (token === undefined || token.length === 0) continue
      const start = this.#offsets[id]
      this.#pool.set(token, start)
      const mask = this.#slots.length - 1
      let at = spread(hashOf(token, 0, token.length)) & mask
      while (this.#slots[at] >= 0 && !this.#is(this.#slots[at], token, 0, token.length)) at = (at + 1) & mask
      if (this.#slots[at] < 0) this.#slots[at] = id
    }
  }

  #is(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#offsets[id]
    const length = end - start
    return this.#offsets[id + 1] - from === length && equal(this.#pool, from, bytes, start, length)
  }

  /** Id of the token bytes[start, end), or -1. */
  find(bytes: Uint8Array, start = 0, end = bytes.length): number {
    const mask = this.#slots.length - 1
    for (let at = spread(hashOf(bytes, start, end)) & mask; this.#slots[at] >= 0; at = (at + 1) & mask) {
      if (this.#is(this.#slots[at], bytes, start, end)) return this.#slots[at]
    }
    return -1
  }

  /** Id of the token whose bytes are those of `left` followed by those of `right`, or -1; a token left out joins with none. */
  join(left: number, right: number): number {
    const pool = this.#pool
    const [l, lEnd] = [this.#offsets[left], this.#offsets[left + 1]]
    const [r, rEnd] = [this.#offsets[right], this.#offsets[right + 1]]
    const [leftLength, rightLength] = [lEnd - l, rEnd - r]
    if (leftLength === 0 || rightLength === 0) return -1
    const mask = this.#slots.length - 1
    const hash = hashOf(pool, r, rEnd, hashOf(pool, l, lEnd))
    for (let at = spread(hash) & mask; this.#slots[at] >= 0; at = (at + 1) & mask) {
      const id = this.#slots[at]
      const from = this.#offsets[id]
      if (this.#offsets[id + 1] - from !== leftLength + rightLength) continue
      if (equal(pool, from, pool, l, leftLength) && equal(pool, from + leftLength, pool, r, rightLength)) return id
    }
    return -1
  }
}
