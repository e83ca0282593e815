/**
 * gpu.js behind types, for the modes that answer at once.
 *
 * gpu.js answers differently in every mode (typed arrays, nested rows, textures) and its declarations do not say so; here each answer becomes a `Handle` by looking at it. Kernels are compiled from source text: gpu.js would read a
 * function through `toString()`, and tsx, minifiers and coverage tools all change what that returns; text stays as it was written.
 */
import { GPU } from 'gpu.js'
import { type EngineError, InputError } from '../../errors.ts'
import { stopped } from './webgpu/message.ts'

/** Modes. `gpu` lets gpu.js choose among its own that answer at once: WebGL where there is one, else `webasm`. */
export type GpuMode = 'cpu' | 'webasm' | 'webgpu' | 'webgl2' | 'gpu'

/** Numbers that stay on the device: a WebGL texture. */
export interface DeviceBuffer {
  /** Lengths of its axes. They decide a texture's sides, which a WebGL kernel bakes in at its first run. */
  readonly output: readonly number[]
  toArray(): unknown
  clone(): unknown
  delete(): void
}

/** An immutable block of numbers where kernels can read it. `cpu` and `webasm` have no device memory: theirs are arrays. */
export type Handle = Float32Array | DeviceBuffer

/** Cells of an output along x (contiguous), y and z. */
export type Grid = readonly [number, number?, number?]

/** A kernel function's text and its parameters in order: arrays first, then integers, then real numbers. */
export interface KernelSource {
  readonly arrays?: readonly string[]
  readonly integers?: readonly string[]
  readonly reals?: readonly string[]
  /**
   * The value of cell (this.thread.x, this.thread.y, this.thread.z). Sizes are written as literals and indices inline in the
   * subscript: gpu.js makes every local constant a float, whose integers end at 2^24. `| 0` makes an integer of an expression. Loops start
   * at a literal 0, and two whose bound is a parameter need two names: gpu.js declares their counters side by side.
   */
  readonly body: string
  /** It returns an array of four cells, neighbours along x: this.thread.x counts fours. Where `Device.quads`, and the width is one of fours. */
  readonly quads?: boolean
}

export interface CompiledKernel {
  /** Runs over the whole grid. */
  run(parameters: readonly (Handle | number)[]): Handle
  destroy(): void
}

/** gpu.js caps loops whose bound is no constant; the longest here are reductions. */
const LOOP_LIMIT = 2 ** 30

const isDeviceBuffer = (value: unknown): value is DeviceBuffer =>
  typeof value === 'object' &&
  value !== null &&
  'toArray' in value &&
  'delete' in value &&
  'clone' in value &&
  'output' in value

/** Rows of rows of numbers, as gpu.js shapes outputs of two and three axes, in one array. */
const flatten = (value: unknown, cells: number): Float32Array => {
  if (value instanceof Float32Array) return value
  const out = new Float32Array(cells)
  let at = 0
  const append = (part: unknown): void => {
    if (part instanceof Float32Array) {
      out.set(part, at)
      at += part.length
    } else if (Array.isArray(part)) for (const item of part) append(item)
    else throw new TypeError(`gpu.js returned ${typeof part} where numbers were expected`)
  }
  append(value)
  return out
}

/** As `flatten`, without a copy where the rows are views of one array (mode `webasm`). */
const numbers = (value: unknown, cells: number): Float32Array => {
  let first = value
  while (Array.isArray(first)) first = first[0]
  return first instanceof Float32Array && first.buffer.byteLength === 4 * cells
    ? new Float32Array(first.buffer)
    : flatten(value, cells)
}

const handle = (value: unknown, cells: number): Handle => (isDeviceBuffer(value) ? value : numbers(value, cells))

const property = (value: unknown, ...path: readonly string[]): unknown => {
  let at = value
  for (const name of path) {
    if ((typeof at !== 'object' && typeof at !== 'function') || at === null) return undefined
    at = Reflect.get(at, name)
  }
  return at
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const WEBGL: Readonly<Record<string, string>> = {
  WebGL2Kernel: 'webgl2',
  WebGLKernel: 'webgl',
  HeadlessGLKernel: 'headlessgl',
}

/** What a kernel class calls its mode; the WebGL ones all say `gpu`. */
const modeOf = (kernelClass: unknown, otherwise: string): string => {
  const mode = text(property(kernelClass, 'mode'))
  return mode === 'gpu' || mode === '' ? (WEBGL[text(property(kernelClass, 'name'))] ?? otherwise) : mode
}

export class Device {
  /** The mode that really runs. */
  mode: string
  fallbackReason = ''
  readonly #gpu: GPU
  #end: EngineError | null = null

  constructor(requested: Exclude<GpuMode, 'webgpu'>) {
    try {
      this.#gpu = new GPU({ mode: requested })
    } catch (error) {
      throw new InputError(`gpu engine: mode '${requested}' does not run here: ${String(error)}`)
    }
    this.mode = modeOf(property(this.#gpu, 'Kernel'), requested)
    if (requested === 'gpu' && (this.mode === 'webasm' || this.mode === 'cpu'))
      this.fallbackReason = `gpu.js found no WebGL context, mode '${this.mode}' runs on the CPU`
  }

  /** Values live in device memory, so host numbers are uploaded once instead of at every launch. */
  get resident(): boolean {
    return this.mode !== 'cpu' && this.mode !== 'webasm'
  }

  /** Whether kernels may return four cells at once: WebGL makes textures of them that others cannot read. */
  get quads(): boolean {
    return !this.resident
  }

  compile({ arrays = [], integers = [], reals = [], body: general, quads }: KernelSource, grid: Grid): CompiledKernel {
    // gpu.js 2.24.1 declares a subscript that reads another array a float in GLSL and fills it with an integer: floats there, exact
    // below 2^24, which is what a WebGL texture mostly holds anyway.
    const body = this.mode.includes('gl') ? general.replaceAll(' | 0)', ')') : general
    const [columns, height = 1, depth = 1] = grid
    const cells = columns * height * depth
    const width = quads ? columns / 4 : columns
    // In mode `cpu` an output of several axes is many small arrays: one flat axis and its coordinates by division instead.
    const flat = this.mode === 'cpu' && height * depth > 1
    const output =
      flat || height * depth === 1 ? [width * height * depth] : depth === 1 ? [width, height] : [width, height, depth]
    const source = `function(${[...arrays, ...integers, ...reals].join(', ')}) {${flat ? flatCoordinates(body, width, height) : body}}`
    const kernel = this.#gpu.createKernel(source, {
      output,
      pipeline: true,
      immutable: true,
      strictIntegers: true,
      precision: 'single',
      ...(quads ? { returnType: 'Array(4)' } : {}),
      argumentTypes: {
        ...Object.fromEntries(arrays.map(name => [name, 'Array' as const])),
        ...Object.fromEntries(integers.map(name => [name, 'Integer' as const])),
        ...Object.fromEntries(reals.map(name => [name, 'Float' as const])),
      },
    })
    kernel.setLoopMaxIterations(LOOP_LIMIT)
    let first = true
    return {
      run: parameters => {
        const result: unknown = Reflect.apply(kernel, undefined, parameters)
        if (first) {
          first = false
          this.#observe(kernel)
        }
        return handle(result, cells)
      },
      destroy: () => {
        const inner = property(kernel, 'kernel')
        kernel.destroy()
        this.#forget(inner)
      },
    }
  }

  /** The numbers of a handle, on the host. */
  download(value: Handle, cells: number): Float32Array {
    if (value instanceof Float32Array) return value.slice(0, cells)
    const numbers = flatten(value.toArray(), cells).subarray(0, cells)
    this.check()
    return numbers
  }

  /** Throws where WebGL lost its context: it says nothing itself, and every texture reads as zeros from then on. */
  check(): void {
    const isLost = property(this.#gpu, 'context', 'isContextLost')
    if (typeof isLost === 'function' && Reflect.apply(isLost, property(this.#gpu, 'context'), []) === true)
      this.#end ??= stopped('the WebGL context was lost')
    if (this.#end !== null) throw this.#end
  }

  destroy(): Promise<void> {
    return this.#gpu.destroy()
  }

  /** gpu.js lists every kernel it made and, in mode `cpu`, never takes one off. */
  #forget(kernel: unknown): void {
    const listed = property(this.#gpu, 'kernels')
    if (Array.isArray(listed) && listed.includes(kernel)) listed.splice(listed.indexOf(kernel), 1)
  }

  /** gpu.js swaps a kernel that its backend cannot take for a `cpu` one; whoever asks `backend` is told. */
  #observe(kernel: unknown): void {
    const ran = modeOf(property(kernel, 'kernel', 'constructor'), this.mode)
    if (ran === this.mode) return
    this.fallbackReason = text(property(kernel, 'kernel', 'fallbackReason')) || `gpu.js ran a kernel in mode '${ran}'`
    this.mode = ran
  }
}

/** Coordinates of a cell of a flat output: x runs fastest. */
const flatCoordinates = (body: string, width: number, height: number): string =>
  `const threadX = this.thread.x % ${width}; const threadY = Math.floor(this.thread.x / ${width}) % ${height}; const threadZ = Math.floor(this.thread.x / ${width * height});${body
    .replaceAll('this.thread.x', 'threadX')
    .replaceAll('this.thread.y', 'threadY')
    .replaceAll('this.thread.z', 'threadZ')}`

/** A second handle of the same numbers; handles are immutable, so nothing is copied. */
export const share = (value: Handle): Handle => {
  if (value instanceof Float32Array) return value
  const copy = value.clone()
  if (!isDeviceBuffer(copy)) throw new TypeError('gpu.js cloned a buffer into something else')
  return copy
}

/** Lengths of a handle's axes, where kernels tell them apart. */
export const axesOf = (value: Handle): string => (value instanceof Float32Array ? '' : value.output.join('x'))

export const discard = (value: Handle | null): void => {
  if (value !== null && !(value instanceof Float32Array)) value.delete()
}
