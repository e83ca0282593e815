import type { Engine } from './engine.ts'
import { referenceEngine } from './reference/engine.ts'
import { wasmEngine } from './wasm/engine.ts'

/** Engines by the names that `--engine` takes. */
export const engineNames = ['auto', 'wasm', 'gpu', 'reference'] as const
export type EngineName = (typeof engineNames)[number]

export interface Opened {
  readonly engine: Engine
  /** Why this engine, in words for people. */
  readonly reason: string
}

/** The wasm engine on all processors, which small kernels never wait for. */
const openWasm = (why: string): Opened => {
  const engine = wasmEngine({ threads: 'auto' })
  return { engine, reason: engine.threads > 1 ? `${why}; up to ${engine.threads} threads` : why }
}

/** An engine by name, and why. gpu.js is loaded only where it is asked for. */
export const openEngine = async (name: EngineName): Promise<Opened> => {
  switch (name) {
    case 'reference':
      return { engine: referenceEngine(), reason: 'asked for: f64, slow, the oracle of the laws' }
    case 'gpu': {
      const { gpuEngine } = await import('./gpu/engine.ts')
      const engine = gpuEngine()
      return { engine, reason: ['asked for', engine.fallbackReason].filter(part => part !== '').join('; ') }
    }
    case 'wasm':
      return openWasm('asked for')
    case 'auto':
      return openWasm('no GPU was asked for, and WebAssembly SIMD is the fastest engine on a CPU')
  }
}
