/**
 * The `gpu` engine: every kernel a gpu.js kernel function, f32 on the device.
 *
 * Dispatch is synchronous and ordered in every mode; `read` answers at once in modes `cpu`, `webasm` and `webgl2` and with a
 * promise in mode `webgpu`. The first error sticks: later launches are skipped and every later `read` reports it.
 */
import type { Storage } from '../../tensor/storage.ts'
import { countAllocation, counter, countFree } from '../counter.ts'
import type { Engine, HostData } from '../engine.ts'
import { Device, type GpuMode } from './device.ts'
import { activation } from './kernels/activation.ts'
import { adamW } from './kernels/adamW.ts'
import { attention } from './kernels/attention.ts'
import { crossEntropy } from './kernels/crossEntropy.ts'
import { elementwise } from './kernels/elementwise.ts'
import { layout } from './kernels/layout.ts'
import { matmul } from './kernels/matmul.ts'
import { norm } from './kernels/norm.ts'
import { random } from './kernels/random.ts'
import { reduce } from './kernels/reduce.ts'
import { rotary } from './kernels/rotary.ts'
import { rowsById } from './kernels/rows.ts'
import { softmax } from './kernels/softmax.ts'
import { launcher } from './launcher.ts'
import { Queue } from './queue.ts'
import { GpuStorage, gpuStorage } from './storage.ts'

const BYTES = 4

export interface GpuOptions {
  /** Default `gpu`: what gpu.js finds. `webgpu` is asked for by name, since only a first kernel shows whether an adapter answers. */
  readonly mode?: GpuMode
}

export interface GpuEngine extends Engine {
  /** Releases every compiled kernel. The engine cannot be used afterwards. */
  destroy(): Promise<void>
}

/** An engine over gpu.js. Throws an InputError if the mode does not exist here. */
export const gpuEngine = ({ mode = 'gpu' }: GpuOptions = {}): GpuEngine => {
  const device = new Device(mode)
  const queue = new Queue(device.asynchronous)
  const count = counter()

  const allocate = (size: number): Storage => {
    countAllocation(count, size * BYTES)
    return new GpuStorage(engine, size)
  }

  /** The slot is dead at once; its handle goes when everything dispatched before has run. */
  const free = (storage: Storage): void => {
    const slot = gpuStorage(storage)
    slot.freed = true
    countFree(count, slot.size * BYTES)
    queue.always(() => slot.replace(null, 0))
  }

  const read = (storage: Storage, size: number): HostData | Promise<HostData> => {
    const slot = gpuStorage(storage)
    const download = (): Float32Array | Promise<Float32Array> => {
      if (queue.failure !== null) throw queue.failure
      return slot.handle === null ? new Float32Array(size) : device.download(slot.handle, size)
    }
    if (!device.asynchronous) return download()
    return new Promise((resolve, reject) => {
      queue.always(() => {
        try {
          // Issued in its turn, not awaited by the queue: later launches need not wait for the readback.
          Promise.resolve(download()).then(resolve, error => {
            queue.fail(error)
            reject(queue.failure)
          })
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  const launch = launcher(device, queue, allocate, free)
  const { dot, ...reductions } = reduce(launch)
  const { linear, ...products } = matmul(launch)
  const { dropout, ...draws } = random(launch)

  const engine: GpuEngine = {
    name: 'gpu',
    get backend() {
      return device.mode
    },
    get fallbackReason() {
      return device.fallbackReason
    },
    bytesPerElement: BYTES,
    counter: count,
    allocate,
    free,
    write: (storage, values) => launch.place(storage, Float32Array.from(values)),
    read,
    primitives: {
      ...elementwise(launch),
      ...reductions,
      ...products,
      ...rowsById(launch),
      ...layout(launch),
      ...draws,
    },
    fused: {
      linear,
      dot,
      dropout,
      ...softmax(launch),
      ...activation(launch),
      ...norm(launch),
      ...rotary(launch),
      ...attention(launch),
      ...crossEntropy(launch),
      ...adamW(launch),
    },
    destroy: () => device.destroy(),
  }
  return engine
}
