/** The gpu engine on a WebGPU device of its own. */
import { EngineError, InputError } from '../../../errors.ts'
import type { Storage } from '../../../tensor/storage.ts'
import { countAllocation, counter, countFree } from '../../counter.ts'
import type { GpuEngine } from '../engine.ts'
import { type FoundAdapter, findAdapter } from './adapter.ts'
import { mostBytes } from './buffers.ts'
import { wgslKernels } from './kernels/index.ts'
import { wgslLauncher } from './launcher.ts'
import { messageOf, stopped } from './message.ts'
import { Recorder, type Work } from './recorder.ts'
import { Slot, slotOf } from './slot.ts'

const BYTES = 4

/** A tensor is longer than this GPU takes: nothing was computed, and the engine goes on. */
class TooLongError extends EngineError {
  override readonly name = 'TooLongError'
  override readonly usable = true
}

export interface WebgpuEngine extends GpuEngine {
  /** What was submitted, and what was not. */
  readonly work: Readonly<Work>
  /** Buffers made so far, and bytes held on the device. */
  readonly memory: { readonly made: number; readonly held: number }
  /** The device, for whoever must end it; null before `ready`. */
  readonly device: GPUDevice | null
}

/** As much memory as the adapter gives: the specification's defaults end at 128 MiB a tensor. All else stays within the defaults. */
const limitsOf = ({ limits }: GPUAdapter): Record<string, number> => ({
  maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
  maxBufferSize: limits.maxBufferSize,
})

export const webgpuEngine = (found?: FoundAdapter, why = ''): WebgpuEngine => {
  const count = counter()
  let adapterName = found?.name ?? ''
  let device: GPUDevice | null = null
  /** Bytes of the longest tensor, unknown before `ready`. */
  let most = Number.POSITIVE_INFINITY

  const open = async (): Promise<GPUDevice> => {
    const answer = found ?? (await findAdapter())
    if (typeof answer === 'string') throw new InputError(`gpu engine: mode 'webgpu' does not run here: ${answer}`)
    const { adapter, name } = answer
    const opened = await adapter.requestDevice({ requiredLimits: limitsOf(adapter) }).catch((error: unknown) => {
      throw new InputError(`gpu engine: the adapter gives no device: ${messageOf(error)}`, {
        cause: error,
      })
    })
    adapterName = name
    device = opened
    most = mostBytes(opened)
    opened.addEventListener('uncapturederror', ({ error }) => recorder.fail(error))
    void opened.lost.then(({ reason, message }) =>
      recorder.fail(stopped(`the GPU device was lost (${reason}): ${message}`)),
    )
    return opened
  }
  let opening: Promise<GPUDevice> | null = null
  const acquire = (): Promise<GPUDevice> => {
    opening ??= open()
    return opening
  }
  const recorder = new Recorder(acquire)

  const allocate = (size: number): Storage => {
    if (recorder.failure !== null) throw recorder.failure
    if (size * BYTES > most)
      throw new TooLongError(
        `the GPU takes tensors of at most ${most} bytes, ${size * BYTES} were asked; use a smaller batch, block or model. The engine is usable`,
      )
    countAllocation(count, size * BYTES)
    return new Slot(engine, size)
  }
  const free = (storage: Storage): void => {
    const slot = slotOf(storage)
    slot.freed = true
    countFree(count, slot.size * BYTES)
    recorder.record({ kind: 'free', slot })
  }
  const launch = wgslLauncher(recorder, allocate, free)

  const engine: WebgpuEngine = {
    name: 'gpu',
    backend: 'webgpu',
    fallbackReason: why,
    get adapter() {
      return adapterName
    },
    get ready() {
      return acquire().then(() => undefined)
    },
    get device() {
      return device
    },
    work: recorder.work,
    get memory() {
      return recorder.memory
    },
    bytesPerElement: BYTES,
    counter: count,
    allocate,
    free,
    write: (storage, values) => launch.place(storage, Float32Array.from(values)),
    read: (storage, size) => {
      const slot = slotOf(storage)
      return new Promise((resolve, reject) => recorder.record({ kind: 'read', slot, size, resolve, reject }))
    },
    ...wgslKernels(launch),
    destroy: async () => {
      recorder.fail(stopped('the gpu engine was destroyed'))
      await opening?.then(
        opened => opened.destroy(),
        () => {},
      )
    },
  }
  return engine
}
