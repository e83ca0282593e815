import type { Storage } from '../tensor/storage.ts'
import type { Counter } from './counter.ts'
import type { Fused } from './fused.ts'
import type { Primitives } from './primitives.ts'

/** Numbers on the host, row-major: f64 from `reference`, f32 from the others. */
export type HostData = Float32Array | Float64Array

/**
 * Where tensors live and kernels run. Dispatch is synchronous and ordered; only `read` may be asynchronous.
 * An engine never reads shapes: `src/kernel` checks them, allocates outputs and counts, then calls the engine with plain sizes.
 * Kernels write every element of `out`; no input aliases an output unless the row says "in place".
 * What is computed from NaN is NaN, and so are log and sqrt of a negative number; only `step` and `greaterEqual` answer with 0. WebGL promises no NaN,
 * and `gpu` in that mode none either.
 */
export interface Engine {
  readonly name: string
  /** The mode that really runs, for instance `wasm-simd` or gpu.js's `webasm`. */
  readonly backend: string
  /** Why this backend and not a faster one; empty when nothing fell back. */
  readonly fallbackReason: string
  readonly bytesPerElement: 4 | 8
  readonly counter: Counter
  /** Contents are unspecified until written. */
  allocate(size: number): Storage
  free(storage: Storage): void
  write(storage: Storage, values: ArrayLike<number>): void
  /** A copy of the first `size` numbers. */
  read(storage: Storage, size: number): HostData | Promise<HostData>
  readonly primitives: Primitives
  /** Overrides of derived definitions, where they pay. Law K1 holds each to its derivation. */
  readonly fused: Partial<Fused>
}
