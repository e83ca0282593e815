/** The compiled kernels: one module a process and kind of memory, one instance a memory and thread. Fused multiply-add where the host has it. */
import { type Kernels, kernelNames, relaxedBinary, simdBinary } from './binary.generated.ts'
import type { Kernel } from './worker.ts'

export interface Loaded {
  readonly kernels: Kernels
  /** The same, in the order of `kernelNames`. */
  readonly list: readonly Kernel[]
  readonly module: WebAssembly.Module
  readonly backend: 'wasm-simd' | 'wasm-relaxed-simd'
}

type Binary = typeof simdBinary

const modules = new Map<string, WebAssembly.Module>()

const bytesOf = ({ base64 }: Binary): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), c => c.charCodeAt(0))

/** Limits of an imported memory: with a maximum, shared between threads (WebAssembly, binary format, 5.3.8 and threads). */
const SHARED_WITH_MAXIMUM = 3

const compiled = (binary: Binary, shared: boolean): WebAssembly.Module => {
  const name = `${shared} ${binary.base64}`
  const known = modules.get(name)
  if (known !== undefined) return known
  const bytes = bytesOf(binary)
  if (shared) bytes[binary.memoryFlag] = SHARED_WITH_MAXIMUM
  const module = new WebAssembly.Module(bytes)
  modules.set(name, module)
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

/** An integer that a kernel returns has a sign: sizes in bytes lose theirs, so that from 2 GiB on they are not negative. Those returned as f64 may be larger. */
const unsigned = (exports: WebAssembly.Exports): object =>
  Object.fromEntries(
    Object.entries(exports).map(([name, kernel]) => [
      name,
      typeof kernel === 'function' && name.endsWith('Scratch')
        ? (...sizes: readonly number[]) => {
            const bytes = kernel(...sizes)
            return bytes < 0 ? bytes + 2 ** 32 : bytes
          }
        : kernel,
    ]),
  )

/** Instantiates the kernels over `memory`. `relaxed` false keeps to plain SIMD. */
export const loadKernels = (memory: WebAssembly.Memory, relaxed: boolean, shared: boolean): Loaded => {
  const fused = relaxed && hasRelaxedSimd()
  const module = compiled(fused ? relaxedBinary : simdBinary, shared)
  const exports = unsigned(new WebAssembly.Instance(module, { env: { memory } }).exports)
  if (!isKernels(exports)) throw new TypeError('the compiled kernels lack an export: run `npm run build:wasm`')
  return {
    kernels: exports,
    list: kernelNames.map(name => exports[name]),
    module,
    backend: fused ? 'wasm-relaxed-simd' : 'wasm-simd',
  }
}
