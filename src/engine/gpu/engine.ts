/**
 * The `gpu` engine: kernels that gpu.js compiles, f32. On WebGPU numbers stay on the device and work is submitted when something is read,
 * which answers with a promise; the other modes compute and answer at once.
 */
import type { Engine } from '../engine.ts'
import type { GpuMode } from './device.ts'
import { immediateEngine } from './immediate.ts'
import type { FoundAdapter } from './webgpu/adapter.ts'
import { type WebgpuEngine, webgpuEngine } from './webgpu/engine.ts'

export interface GpuOptions {
  /** `gpu`, unless said, lets gpu.js choose among the modes that answer at once: WebGL where there is one, else `webasm`. */
  readonly mode?: GpuMode
  /** For mode `webgpu`: the adapter, if it was found already. */
  readonly found?: FoundAdapter
  /** Why this mode and not a faster one. */
  readonly why?: string
}

export interface GpuEngine extends Engine {
  /** The adapter that computes; empty where the mode has none, or before `ready`. */
  readonly adapter: string
  /** When the device answers; rejects with an InputError where there is none. */
  readonly ready: Promise<void>
  /** Releases what the device holds. The engine cannot be used afterwards. */
  destroy(): Promise<void>
}

/** An engine over gpu.js. Throws an InputError if the mode does not exist here; without an adapter mode `webgpu` says so at `ready` and `read`. */
export function gpuEngine(options: GpuOptions & { readonly mode: 'webgpu' }): WebgpuEngine
export function gpuEngine(options?: GpuOptions): GpuEngine
export function gpuEngine({ mode = 'gpu', found, why = '' }: GpuOptions = {}): GpuEngine {
  return mode === 'webgpu' ? webgpuEngine(found, why) : immediateEngine(mode, why)
}
