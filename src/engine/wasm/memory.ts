/** One WebAssembly memory, its heap and a scratch block. Views die when memory grows, so they are read through here. */
import { EngineError } from '../../errors.ts'
import { type Block, Heap, LINE } from './heap.ts'

/** Memory comes in pages of so many bytes. */
export const PAGE = 65536
const MEBIBYTE = 2 ** 20
/** Growth by a part of what is there keeps the number of growths small; so small a part, the slack. */
const GROWTH = 1 / 64

/** The engine's memory cannot grow any further. What did not fit was not made; all else is as before. */
export class OutOfMemoryError extends EngineError {
  override readonly name = 'OutOfMemoryError'
  override readonly usable = true
}

export class Memory {
  readonly wasm: WebAssembly.Memory
  readonly #heap: Heap
  readonly #maximum: number
  #floats: Float32Array
  #integers: Int32Array
  #scratch: Block | null = null
  /** Why the host let it grow no further. */
  #refusal: unknown

  /** `maximum` in bytes, at most 4 GiB; `shared` between threads. */
  constructor(maximum: number, shared = false) {
    this.#maximum = Math.floor(Math.min(maximum, 2 ** 32) / PAGE) * PAGE
    this.wasm = new WebAssembly.Memory({ initial: 1, maximum: this.#maximum / PAGE, shared })
    this.#floats = new Float32Array(this.wasm.buffer)
    this.#integers = new Int32Array(this.wasm.buffer)
    // Address 0 stands for "absent". A line behind the last block: vector loads may run past its end.
    let end = 2 * LINE
    this.#heap = new Heap(LINE, bytes => {
      const needed = end + bytes
      if (needed > this.#maximum || !this.#growTo(needed)) return 0
      const added = this.wasm.buffer.byteLength - end
      end += added
      return added
    })
  }

  /** Grows to at least `bytes`, by more if there is room; whether the host allowed it. */
  #growTo(bytes: number): boolean {
    const now = this.wasm.buffer.byteLength
    if (bytes <= now) return true
    const wished = Math.min(this.#maximum, Math.max(bytes, now * (1 + GROWTH), now + MEBIBYTE))
    const grow = (to: number): number => this.wasm.grow(Math.ceil((to - now) / PAGE))
    try {
      grow(wished)
    } catch {
      try {
        grow(bytes)
      } catch (cause) {
        this.#refusal = cause
        return false
      }
    }
    this.#floats = new Float32Array(this.wasm.buffer)
    this.#integers = new Int32Array(this.wasm.buffer)
    return true
  }

  #exhausted(bytes: number): OutOfMemoryError {
    const inMebibytes = (n: number): string => `${(n / MEBIBYTE).toFixed(1)} MiB`
    return new OutOfMemoryError(
      `the wasm engine is out of memory: ${inMebibytes(bytes)} more asked, ${inMebibytes(this.#heap.taken)} in use, ` +
        `${inMebibytes(this.#maximum)} at most; use a smaller batch, block or model. The engine is usable`,
      { cause: this.#refusal },
    )
  }

  get floats(): Float32Array {
    return this.#floats
  }

  get integers(): Int32Array {
    return this.#integers
  }

  allocate(bytes: number): Block {
    let block = this.#heap.allocate(bytes)
    if (block === null && this.#scratch !== null) {
      // What kernels left behind makes room for what is asked now.
      this.#heap.release(this.#scratch)
      this.#scratch = null
      block = this.#heap.allocate(bytes)
    }
    if (block === null) throw this.#exhausted(bytes)
    return block
  }

  release(block: Block): void {
    this.#heap.release(block)
  }

  /** Address of `bytes` that hold nothing between kernels; valid until the next allocation. Never counted as a storage. */
  scratch(bytes: number): number {
    const held = this.#scratch
    if (held !== null && bytes >= 0 && bytes <= held.bytes) return held.address
    if (held !== null) this.#heap.release(held)
    this.#scratch = null
    const block = this.allocate(bytes)
    this.#scratch = block
    return block.address
  }

  /** Puts host integers into the scratch block. */
  stage(ids: Int32Array): number {
    const address = this.scratch(ids.byteLength)
    this.#integers.set(ids, address / 4)
    return address
  }
}
