/**
 * f32 on WebAssembly SIMD: the default wherever no GPU answers, in Node, browsers and workers. It is synchronous.
 * Bits depend neither on batch, chunking nor position (laws L1, L4); they may differ between the two binaries.
 */
import { UsedAfterFreeError } from '../../errors.ts'
import type { Storage } from '../../tensor/storage.ts'
import { type Counter, countAllocation, counter, countFree } from '../counter.ts'
import type { Engine, Fused, HostData, Primitives } from '../engine.ts'
import { fused } from './fused.ts'
import { loadKernels } from './kernels.ts'
import { Memory } from './memory.ts'
import { primitives } from './primitives.ts'
import { addressOf, WasmStorage } from './storage.ts'

export interface WasmOptions {
  /** Bytes the engine may hold, at most 4 GiB (the default). */
  readonly maximumBytes?: number
  /** Fused multiply-add where the host has relaxed SIMD; the default. */
  readonly relaxed?: boolean
}

const BYTES = 4

class WasmEngine implements Engine {
  readonly name = 'wasm'
  readonly backend: string
  readonly fallbackReason: string
  readonly bytesPerElement = BYTES
  readonly counter: Counter = counter()
  readonly primitives: Primitives
  readonly fused: Fused
  readonly #memory: Memory

  constructor({ maximumBytes = 2 ** 32, relaxed = true }: WasmOptions) {
    this.#memory = new Memory(maximumBytes)
    const { kernels, backend } = loadKernels(this.#memory.wasm, relaxed)
    this.backend = backend
    this.fallbackReason = !relaxed || backend === 'wasm-relaxed-simd' ? '' : 'this host has no relaxed SIMD'
    this.primitives = primitives(this.#memory, kernels)
    this.fused = fused(this.#memory, kernels)
  }

  allocate(size: number): Storage {
    const storage = new WasmStorage(this, size, this.#memory.allocate(size * BYTES))
    countAllocation(this.counter, size * BYTES)
    return storage
  }

  free(storage: Storage): void {
    if (!(storage instanceof WasmStorage) || storage.engine !== this || !storage.held)
      throw new UsedAfterFreeError('a storage was freed twice, or by an engine that does not own it')
    storage.held = false
    this.#memory.release(storage.block)
    countFree(this.counter, storage.size * BYTES)
  }

  write(storage: Storage, values: ArrayLike<number>): void {
    if (values.length > storage.size)
      throw new RangeError(`${values.length} numbers do not fit a storage of ${storage.size}`)
    const at = addressOf(storage) / BYTES
    const [first, second] = [values[0], values[1]]
    if (first !== undefined && second === undefined) this.#memory.floats[at] = first
    else this.#memory.floats.set(values, at)
  }

  read(storage: Storage, size: number): HostData {
    const at = addressOf(storage) / BYTES
    return this.#memory.floats.slice(at, at + size)
  }
}

/** A new engine with a memory of its own, ready at once. */
export const wasmEngine = (options: WasmOptions = {}): Engine => new WasmEngine(options)
