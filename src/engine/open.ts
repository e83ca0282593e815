import type { Engine } from './engine.ts'
import type { GpuMode } from './gpu/device.ts'
import { type FoundAdapter, findAdapter } from './gpu/webgpu/adapter.ts'
import { referenceEngine } from './reference/engine.ts'
import { wasmEngine } from './wasm/engine.ts'

/** Engines by the names that `--engine` takes. */
export const engineNames = ['auto', 'wasm', 'gpu', 'reference'] as const
export type EngineName = (typeof engineNames)[number]

export interface OpenOptions {
  /** For `gpu`: the mode; unless said, WebGPU on a GPU, and without one what gpu.js finds. */
  readonly mode?: GpuMode
  /** For `auto`: why no GPU need be looked for; empty unless said. */
  readonly noGpu?: string
}

export interface Opened {
  readonly engine: Engine
  /** Why this engine, in words for people. */
  readonly reason: string
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const sentence = (...parts: readonly string[]): string => parts.filter(part => part !== '').join('; ')

/** The wasm engine on all processors, which small kernels never wait for. */
const openWasm = (why: string): Opened => {
  const engine = wasmEngine({ threads: 'auto' })
  return { engine, reason: engine.threads > 1 ? `${why}; up to ${engine.threads} threads` : why }
}

/** gpu.js is loaded only here, where it will compute. */
const openGpu = async (
  mode: GpuMode,
  found: FoundAdapter | undefined,
  why: string,
  missing: string,
): Promise<Opened> => {
  const { gpuEngine } = await import('./gpu/engine.ts')
  const engine = gpuEngine({ mode, ...(found === undefined ? {} : { found }), why: missing })
  await engine.ready
  return { engine, reason: sentence(why, engine.adapter, engine.fallbackReason) }
}

/** An adapter of real hardware, or why there is none: one that computes on the CPU is slower than wasm. */
const hardware = async (): Promise<FoundAdapter | string> => {
  const found = await findAdapter()
  return typeof found === 'string' || !found.software
    ? found
    : `the only WebGPU adapter, ${found.name}, computes on the CPU`
}

/** The engine on real hardware, or why there is none. */
const openHardware = async (): Promise<Opened | string> => {
  const found = await hardware()
  if (typeof found === 'string') return found
  try {
    return await openGpu('webgpu', found, 'WebGPU has a GPU', '')
  } catch (error) {
    return `WebGPU has a GPU, ${found.name}, that does not open: ${said(error)}`
  }
}

/**
 * An engine by name, and why. `auto`: `gpu` where WebGPU has real hardware, else `wasm`, else `reference`. `gpu` without such hardware is
 * what gpu.js finds, unless a mode is asked for; its `fallbackReason` and the reason say so.
 */
export const openEngine = async (name: EngineName, { mode, noGpu = '' }: OpenOptions = {}): Promise<Opened> => {
  switch (name) {
    case 'reference':
      return { engine: referenceEngine(), reason: 'asked for: f64, slow, the oracle of the laws' }
    case 'gpu': {
      if (mode !== undefined) return openGpu(mode, undefined, 'asked for', '')
      const found = await hardware()
      return typeof found === 'string'
        ? openGpu('gpu', undefined, 'asked for', found)
        : openGpu('webgpu', found, 'asked for', '')
    }
    case 'wasm':
      return openWasm('asked for')
    case 'auto': {
      const opened = noGpu === '' ? await openHardware() : noGpu
      if (typeof opened !== 'string') return opened
      try {
        return openWasm(`${opened}, and WebAssembly SIMD is the fastest engine on a CPU`)
      } catch (error) {
        return {
          engine: referenceEngine(),
          reason: sentence(opened, `WebAssembly SIMD does not run here: ${said(error)}`),
        }
      }
    }
  }
}
