/**
 * gpu.js as a compiler: a kernel function's text to WGSL. Its own runtime submits every kernel by itself, writes its parameters and makes a
 * bind group and a buffer each time; here the shader alone is wanted, and `Recorder` runs it.
 *
 * Three edits make the text exact and even: NaN stays NaN (`numbers.ts`); cells are numbered through and their coordinates taken by integer division, so that no grid wastes
 * threads or meets the limit of 65,535 workgroups an axis; and `quotient` of text.ts becomes an integer division, right for every index.
 */
import { GPU } from 'gpu.js'
import type { Grid, KernelSource } from '../device.ts'
import { keepingNaN } from './numbers.ts'
import type { Program } from './program.ts'

const COORDINATES = 'threadGid = vec3<u32>(flat_index, 0u, 0u);'
/** The two halves of what gpu.js makes of `(Math.floor((index + 0.5) / by) | 0)`. */
const QUOTIENT = '(i32(floor(((f32('
const BY = /\)\+0\.5\)\/(\d+)\.0\)\)\) \| 0\)/g
const THREADS = 64
const LOOP_LIMIT = 2 ** 30

/** What is used of gpu.js's WebGPU kernel before it has a device. */
interface WgslKernel {
  setupConstants(): void
  setupArguments(values: readonly unknown[]): void
  translateSource(): void
  computeParamsLayout(): Layout
  assembleWGSL(): string
  paramsLayout: Layout
}
interface Layout {
  readonly byteLength: number
  readonly arrayArgs: readonly { readonly dimsOffset: number }[]
  readonly scalarArgs: readonly { readonly offset: number; readonly type: string }[]
}

const isWgslKernel = (value: unknown): value is WgslKernel =>
  typeof value === 'object' &&
  value !== null &&
  ['setupConstants', 'setupArguments', 'translateSource', 'computeParamsLayout', 'assembleWGSL'].every(
    name => typeof Reflect.get(value, name) === 'function',
  )

/** gpu.js asks for `navigator.gpu` before it makes a kernel, even one that it shall not run. */
const compiler = (): GPU => {
  validation('disableValidation')
  try {
    return new GPU({ mode: 'webgpu' })
  } finally {
    validation('enableValidation')
  }
}

/** Static methods of gpu.js that its declarations leave out. */
const validation = (name: 'disableValidation' | 'enableValidation'): void => {
  const method: unknown = Reflect.get(GPU, name)
  if (typeof method === 'function') Reflect.apply(method, GPU, [])
}

export class Translator {
  readonly #gpu = compiler()

  /** The program of a kernel function over a grid, and its workgroups. */
  translate(
    { arrays = [], integers = [], reals = [], body }: KernelSource,
    [width, height = 1, depth = 1]: Grid,
  ): Program {
    const cells = width * height * depth
    const source = `function(${[...arrays, ...integers, ...reals].join(', ')}) {${body}}`
    const made = this.#gpu.createKernel(source, {
      output: [cells],
      precision: 'single',
      strictIntegers: true,
      argumentTypes: {
        ...Object.fromEntries(arrays.map(name => [name, 'Array' as const])),
        ...Object.fromEntries(integers.map(name => [name, 'Integer' as const])),
        ...Object.fromEntries(reals.map(name => [name, 'Float' as const])),
      },
    })
    made.setLoopMaxIterations(LOOP_LIMIT)
    const kernel: unknown = Reflect.get(made, 'kernel')
    if (!isWgslKernel(kernel)) throw new TypeError('this gpu.js compiles no WGSL: version 2.24 is expected')
    kernel.setupConstants()
    kernel.setupArguments([...arrays.map(() => new Float32Array(1)), ...integers.map(() => 1), ...reals.map(() => 0.5)])
    kernel.translateSource()
    const layout = kernel.computeParamsLayout()
    kernel.paramsLayout = layout
    const wgsl = kernel.assembleWGSL()
    this.#forget(kernel)
    if (!wgsl.includes(COORDINATES))
      throw new TypeError('gpu.js assembled WGSL in an unknown form: version 2.24 is expected')
    const x = height * depth === 1 ? 'flat_index' : `flat_index % ${width}u`
    const y = height === 1 ? '0u' : `flat_index / ${width}u % ${height}u`
    const z = depth === 1 ? '0u' : `flat_index / ${width * height}u`
    return {
      code: keepingNaN(
        wgsl
          .replace(COORDINATES, `threadGid = vec3<u32>(${x}, ${y}, ${z});`)
          .replaceAll(QUOTIENT, '((((((')
          .replaceAll(BY, '))/$1))) | 0)'),
      ),
      reads: arrays.length,
      updates: 0,
      writes: 1,
      parameters: {
        bytes: layout.byteLength,
        fixed: [cells, 1, 1, this.groups(cells)[0] * THREADS],
        scalars: layout.scalarArgs.map(({ offset, type }) => ({ word: offset / 4, integer: type === 'Integer' })),
      },
    }
  }

  /** Workgroups over so many cells. */
  groups(cells: number): readonly [number, number] {
    const groups = Math.ceil(cells / THREADS)
    const rows = Math.ceil(groups / 65_535)
    return [Math.ceil(groups / rows), rows]
  }

  /** gpu.js lists every kernel it made. */
  #forget(kernel: unknown): void {
    const listed: unknown = Reflect.get(this.#gpu, 'kernels')
    if (Array.isArray(listed) && listed.includes(kernel)) listed.splice(listed.indexOf(kernel), 1)
  }
}
