/**
 * Whether a GPU answers here: `navigator.gpu` in a browser, Dawn (the package `webgpu`, which whoever wants it installs) in Node. Imports neither gpu.js nor any kernel, so
 * that asking costs nothing where nobody does.
 */
import { messageOf } from './message.ts'

export interface FoundAdapter {
  readonly adapter: GPUAdapter
  /** As the driver says, for people. */
  readonly name: string
  /** Computes on the CPU: right, and far slower than the wasm engine. */
  readonly software: boolean
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bcpu\b/i

/** Dawn computes only while somebody holds it: its adapters and devices do not. */
let dawn: GPU | null = null

/** The way to adapters, or why there is none. */
const entrance = async (): Promise<GPU | string> => {
  if (typeof navigator !== 'undefined' && 'gpu' in navigator) return navigator.gpu
  if (typeof process === 'undefined') return 'this browser has no WebGPU'
  try {
    const { create } = await import('webgpu')
    dawn ??= create([])
    return dawn
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return `in Node, WebGPU needs the package webgpu (npm install webgpu): ${said.split(' imported from')[0]}`
  }
}

/** The fastest adapter, or one line that says why there is none. */
export const findAdapter = async (): Promise<FoundAdapter | string> => {
  const gpu = await entrance()
  if (typeof gpu === 'string') return gpu
  const adapter = await gpu
    .requestAdapter({ powerPreference: 'high-performance' })
    .catch((error: unknown) => `WebGPU finds no adapter: ${messageOf(error)}`)
  if (typeof adapter === 'string') return adapter
  if (adapter === null) return 'no WebGPU adapter answers'
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  const name = description || [vendor, architecture, device].filter(part => part !== '').join(' ') || 'unnamed adapter'
  return {
    adapter,
    name,
    software: isFallbackAdapter === true || SOFTWARE.test(`${architecture} ${device} ${description}`),
  }
}
