/**
 * f32 on WebAssembly SIMD: the default wherever no GPU answers, in Node, browsers and workers. It is synchronous.
 * Bits depend neither on batch, chunking, position (laws L1, L4) nor threads; they may differ between the two binaries.
 */
import { UsedAfterFreeError } from '../../errors.ts'
import type { Storage } from '../../tensor/storage.ts'
import { type Counter, countAllocation, counter, countFree } from '../counter.ts'
import type { Engine, HostData } from '../engine.ts'
import type { Fused } from '../fused.ts'
import type { Primitives } from '../primitives.ts'
import { fused } from './fused.ts'
import { processors, threadsMissing } from './host.ts'
import { loadKernels } from './kernels.ts'
import { Memory, PAGE } from './memory.ts'
import { SPLIT_FROM } from './pace.ts'
import { parallel } from './parallel.ts'
import { primitives } from './primitives.ts'
import { type Addresses, addresses, WasmStorage } from './storage.ts'
import { PATIENCE, Threads } from './threads.ts'

export interface WasmOptions {
  /** Bytes the engine may hold: 64 KiB at least, 4 GiB at most (the default). */
  readonly maximumBytes?: number
  /** Fused multiply-add where the host has relaxed SIMD; the default. */
  readonly relaxed?: boolean
  /**
   * Threads that share large kernels, the caller's included: 1 unless said, 256 at most; 'auto' is one for each processor, 4 at most. Workers start at the
   * first work worth it. Where threads cannot be had (see `fallbackReason`) there is one.
   */
  readonly threads?: number | 'auto'
  /** Nanoseconds of work from which on a kernel is split, 8,000 unless said; 0 splits all that has parts, and starts workers at once. */
  readonly splitFrom?: number
  /**
   * Milliseconds after which a worker that does not finish its part of a kernel is given up, and the engine with it, beside a hundred times
   * what the part should take: 5,000 unless said.
   */
  readonly patience?: number
}

export interface WasmEngine extends Engine {
  /** Threads that compute, or will once there is work for them; 0 after a failure that the engine does not survive. */
  readonly threads: number
  /**
   * Starts the workers now and waits for them, 5 s at most; whether all threads are up. Browsers start a worker's workers only while its
   * event loop turns.
   */
  warm(): boolean
  /** Ends the workers at once rather than with the engine or the process; the engine computes on one thread from then on. */
  close(): void
}

const BYTES = 4
const MOST_AUTOMATIC_THREADS = 4
const MOST_THREADS = 256
const WARM_MILLISECONDS = 5000

/** A memory that threads share, or, where the host has none, one that they do not and why. */
const openMemory = (bytes: number, threads: number): { memory: Memory; shared: boolean; missing: string } => {
  const missing = threads > 1 ? threadsMissing() : ''
  if (threads === 1 || missing !== '') return { memory: new Memory(bytes), shared: false, missing }
  try {
    return { memory: new Memory(bytes, true), shared: true, missing }
  } catch (cause) {
    return { memory: new Memory(bytes), shared: false, missing: `no memory that threads share: ${cause}` }
  }
}

/** Ends the workers of engines that nobody holds any more. */
const forgotten = new FinalizationRegistry<Threads>(threads => threads.stop())

class SimdEngine implements WasmEngine {
  readonly name = 'wasm'
  readonly backend: string
  readonly bytesPerElement = BYTES
  readonly counter: Counter = counter()
  readonly primitives: Primitives
  readonly fused: Fused
  readonly #memory: Memory
  readonly #addresses: Addresses
  readonly #threads: Threads | null
  readonly #reasons: readonly string[]

  constructor({
    maximumBytes = 2 ** 32,
    relaxed = true,
    threads = 1,
    splitFrom = SPLIT_FROM,
    patience = PATIENCE,
  }: WasmOptions) {
    const wanted = threads === 'auto' ? Math.min(processors(), MOST_AUTOMATIC_THREADS) : threads
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > MOST_THREADS)
      throw new RangeError(`threads: expected 1 to ${MOST_THREADS}, found ${threads}`)
    if (!(splitFrom >= 0)) throw new RangeError(`splitFrom: expected 0 or more, found ${splitFrom}`)
    if (!(patience > 0)) throw new RangeError(`patience: expected more than 0, found ${patience}`)
    if (!(maximumBytes >= PAGE)) throw new RangeError(`maximumBytes: expected ${PAGE} or more, found ${maximumBytes}`)
    const { memory, shared, missing } = openMemory(maximumBytes, wanted)
    this.#memory = memory
    this.#addresses = addresses(memory)
    const loaded = loadKernels(this.#memory.wasm, relaxed, shared)
    this.#threads = shared ? new Threads(this.#memory, loaded, { threads: wanted, splitFrom, patience }) : null
    const kernels = this.#threads === null ? loaded.kernels : parallel(this.#threads, loaded)
    if (this.#threads !== null) forgotten.register(this, this.#threads)
    this.backend = loaded.backend
    const slow = relaxed && loaded.backend !== 'wasm-relaxed-simd' ? 'this host has no relaxed SIMD' : ''
    this.#reasons = [slow, missing === '' ? '' : `one thread: ${missing}`]
    this.primitives = primitives(this.#memory, kernels)
    this.fused = fused(this.#memory, kernels)
  }

  get fallbackReason(): string {
    const alone = this.#threads?.reason ?? ''
    const why = alone === '' || this.threads === 0 ? alone : `one thread: ${alone}`
    return [...this.#reasons, why].filter(reason => reason !== '').join('; ')
  }

  get threads(): number {
    return this.#threads?.usable ?? 1
  }

  warm(): boolean {
    return this.#threads?.warm(WARM_MILLISECONDS) ?? true
  }

  close(): void {
    this.#threads?.stop()
  }

  allocate(size: number): Storage {
    this.#threads?.expectUsable()
    const storage = new WasmStorage(this, size, this.#memory, this.#memory.allocate(size * BYTES))
    countAllocation(this.counter, size * BYTES)
    return storage
  }

  free(storage: Storage): void {
    if (!(storage instanceof WasmStorage) || storage.memory !== this.#memory)
      throw new UsedAfterFreeError('a storage was freed twice, or by an engine that does not own it')
    storage.memory = null
    this.#memory.release(storage.block)
    countFree(this.counter, storage.size * BYTES)
  }

  write(storage: Storage, values: ArrayLike<number>): void {
    this.#threads?.expectUsable()
    if (values.length > storage.size)
      throw new RangeError(`${values.length} numbers do not fit a storage of ${storage.size}`)
    const at = this.#addresses.at(storage) / BYTES
    if (values.length === 1) this.#memory.floats[at] = values[0]
    else this.#memory.floats.set(values, at)
  }

  read(storage: Storage, size: number): HostData {
    this.#threads?.expectUsable()
    if (size > storage.size) throw new RangeError(`${size} numbers of a storage of ${storage.size}`)
    const at = this.#addresses.at(storage) / BYTES
    return this.#memory.floats.slice(at, at + size)
  }
}

/** A new engine with a memory of its own, ready at once. */
export const wasmEngine = (options: WasmOptions = {}): WasmEngine => new SimdEngine(options)
