/** Parameters and small arrays of one submission, packed into few buffers and written once each. */
import { ALIGNMENT, type Buffers, type DeviceBuffer, USAGE } from './buffers.ts'

const CHUNK = 2 ** 18

interface Chunk {
  readonly buffer: DeviceBuffer
  readonly host: Uint8Array<ArrayBuffer>
  used: number
}

/** A place in a buffer. */
export interface Slice {
  readonly buffer: DeviceBuffer
  readonly offset: number
  readonly size: number
}

export class Arena {
  readonly #buffers: Buffers
  readonly #chunks: Chunk[] = []
  #at = 0

  constructor(buffers: Buffers) {
    this.#buffers = buffers
  }

  /** Room for so many bytes, and a view of them to fill. */
  reserve(bytes: number): { readonly slice: Slice; readonly words: Uint32Array } {
    const size = ALIGNMENT * Math.max(1, Math.ceil(bytes / ALIGNMENT))
    let chunk = this.#chunks[this.#at]
    while (chunk !== undefined && chunk.used + size > chunk.host.length) chunk = this.#chunks[++this.#at]
    if (chunk === undefined) {
      const length = Math.max(CHUNK, size)
      const buffer = this.#buffers.make(length, USAGE.uniform | USAGE.storage | USAGE.copyTarget)
      chunk = { buffer, host: new Uint8Array(length), used: 0 }
      this.#chunks.push(chunk)
    }
    const offset = chunk.used
    chunk.used += size
    return {
      slice: { buffer: chunk.buffer, offset, size },
      words: new Uint32Array(chunk.host.buffer, offset, size / 4),
    }
  }

  /** Writes what was reserved and starts again. */
  flush(queue: GPUQueue): void {
    for (const { buffer, host, used } of this.#chunks) if (used > 0) queue.writeBuffer(buffer.gpu, 0, host, 0, used)
    for (const chunk of this.#chunks) chunk.used = 0
    this.#at = 0
  }
}
