/** The compiled kernels: one module a process, one instance a memory. Fused multiply-add where the host has it. */
import { type Kernels, kernelNames, relaxedBinary, simdBinary } from './binary.generated.ts'

export interface Loaded {
  readonly kernels: Kernels
  readonly backend: 'wasm-simd' | 'wasm-relaxed-simd'
}

const modules = new Map<string, WebAssembly.Module>()

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), c => c.charCodeAt(0))

const compiled = (binary: string): WebAssembly.Module => {
  const known = modules.get(binary)
  if (known !== undefined) return known
  const module = new WebAssembly.Module(bytesOf(binary))
  modules.set(binary, module)
  return module
}

let relaxedRuns: boolean | undefined

/** Whether this host validates relaxed SIMD; asked anew until it does, since a flag may turn it on after the start. */
export const hasRelaxedSimd = (): boolean => {
  if (relaxedRuns !== true) relaxedRuns = WebAssembly.validate(bytesOf(relaxedBinary))
  return relaxedRuns
}

const isKernels = (exports: object): exports is Kernels =>
  kernelNames.every(name => typeof Reflect.get(exports, name) === 'function')

/** Instantiates the kernels over `memory`. `relaxed` false keeps to plain SIMD. */
export const loadKernels = (memory: WebAssembly.Memory, relaxed: boolean): Loaded => {
  const fused = relaxed && hasRelaxedSimd()
  const module = compiled(fused ? relaxedBinary : simdBinary)
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  if (!isKernels(exports)) throw new TypeError('the compiled kernels lack an export: run `npm run build:wasm`')
  return { kernels: exports, backend: fused ? 'wasm-relaxed-simd' : 'wasm-simd' }
}
