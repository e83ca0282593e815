import { EngineError } from '../../errors.ts'
import type { Storage } from '../../tensor/storage.ts'
import { KernelCache } from './cache.ts'
import { axesOf, type Device, type Grid, type Handle, type KernelSource, share } from './device.ts'
import { type GpuStorage, gpuStorage } from './storage.ts'

/** Above this many elements the kernel that uploads is not kept: it holds the numbers twice more. */
const KEPT_UPLOAD = 2 ** 20

/** No backend takes arrays without elements. */
const NOTHING = new Float32Array(1)

/** A kernel failed where it was dispatched and wrote nothing: the engine goes on. */
class KernelError extends EngineError {
  override readonly name = 'KernelError'
  override readonly usable = true
}

/** What every kernel file needs of the engine. */
export interface Launcher {
  /** Whether kernels may return four cells at once. */
  readonly quads: boolean
  /**
   * out = the kernel over `grid`. Kernels are compiled once a key, grid and lengths of their arrays' axes: `key` names the kernel and every size
   * its text holds. `inputs` are storages or host numbers; `scalars` its integers, then its reals.
   */
  launch(
    out: Storage,
    key: string,
    grid: Grid,
    source: () => KernelSource,
    inputs: readonly (Storage | Float32Array)[],
    scalars?: readonly number[],
  ): void
  /** Storages for intermediate values, freed when `body` returns. */
  temporary(sizes: readonly number[], body: (...storages: Storage[]) => void): void
  /** out = x, without copying numbers: handles are immutable. */
  alias(out: Storage, x: Storage): void
  /** out = these host numbers, uploaded when a kernel first reads them. Not copied: the caller gives them away. */
  place(out: Storage, values: Float32Array): void
}

const upload: KernelSource = { arrays: ['x'], body: 'return x[this.thread.x];' }

/** Launches in the modes that answer at once. */
export const launcher = (
  device: Device,
  allocate: (size: number) => Storage,
  free: (storage: Storage) => void,
): Launcher => {
  const kernels = new KernelCache((source, grid) => device.compile(source, grid))

  const uploaded = (storage: GpuStorage, values: Float32Array): Handle => {
    const once = values.length > KEPT_UPLOAD
    const kernel = once ? device.compile(upload, [values.length]) : null
    const handle =
      kernel?.run([values]) ?? kernels.run(`upload ${values.length}`, () => upload, [values.length], [values])
    storage.replace(handle, values.length)
    kernel?.destroy()
    return handle
  }

  /** What a kernel reads of a storage: zeros where nobody wrote. */
  const operand = (storage: GpuStorage | Float32Array): Handle => {
    if (storage instanceof Float32Array) return storage.length === 0 ? NOTHING : storage
    if (storage.handle === null) storage.replace(new Float32Array(storage.size), storage.size)
    const { handle } = storage
    if (handle === null || storage.length === 0) return NOTHING
    return device.resident && handle instanceof Float32Array ? uploaded(storage, handle) : handle
  }

  const run = (
    out: GpuStorage,
    key: string,
    grid: Grid,
    source: () => KernelSource,
    inputs: readonly (GpuStorage | Float32Array)[],
    scalars: readonly number[],
  ): void => {
    const cells = grid[0] * (grid[1] ?? 1) * (grid[2] ?? 1)
    if (cells === 0) {
      out.replace(new Float32Array(0), 0)
      return
    }
    const operands = inputs.map(operand)
    let name = `${key} ${grid}`
    operands.forEach((handle, i) => {
      name += ` ${inputs[i].length}:${axesOf(handle)}`
    })
    out.replace(kernels.run(name, source, grid, [...operands, ...scalars]), cells)
  }

  return {
    quads: device.quads,
    launch: (out, key, grid, source, inputs, scalars = []) => {
      device.check()
      const target = gpuStorage(out)
      const operands = inputs.map(input => (input instanceof Float32Array ? input : gpuStorage(input)))
      try {
        run(target, key, grid, source, operands, scalars)
      } catch (error) {
        device.check()
        const message = error instanceof Error ? error.message : String(error)
        throw new KernelError(
          `gpu.js failed at the kernel '${key}' in mode '${device.mode}': ${message}. The engine is usable`,
          { cause: error },
        )
      }
    },
    temporary: (sizes, body) => {
      const storages = sizes.map(allocate)
      try {
        body(...storages)
      } finally {
        storages.forEach(free)
      }
    },
    alias: (out, x) => {
      const [target, origin] = [gpuStorage(out), gpuStorage(x)]
      target.replace(origin.handle === null ? null : share(origin.handle), origin.length)
    },
    place: (out, values) => gpuStorage(out).replace(values, values.length),
  }
}
