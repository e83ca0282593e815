/** A growing list of token ids. */
export class IdList {
  ids = new Int32Array(256)
  length = 0

  push(id: number): void {
    if (this.length === this.ids.length) this.reserve(1)
    this.ids[this.length++] = id
  }

  /** Makes room for `count` more. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.ids.length) return
    const larger = new Int32Array(Math.max(needed, this.ids.length * 2))
    larger.set(this.ids.subarray(0, this.length))
    this.ids = larger
  }

  toArray(): Int32Array {
    return this.ids.slice(0, this.length)
  }
}
