/**
 * The modes of gpu.js that answer at once: `cpu`, `webasm`, `webgl2`. A launch runs where it is dispatched and throws there; the
 * engine can be used on.
 */
import type { Storage } from '../../tensor/storage.ts'
import { countAllocation, counter, countFree } from '../counter.ts'
import type { HostData } from '../engine.ts'
import { Device, type GpuMode } from './device.ts'
import type { GpuEngine } from './engine.ts'
import { kernels } from './kernels/index.ts'
import { launcher } from './launcher.ts'
import { GpuStorage, gpuStorage } from './storage.ts'

const BYTES = 4

/** Throws an InputError if the mode does not exist here. */
export const immediateEngine = (mode: Exclude<GpuMode, 'webgpu'>, why: string): GpuEngine => {
  const device = new Device(mode)
  const count = counter()

  const allocate = (size: number): Storage => {
    countAllocation(count, size * BYTES)
    return new GpuStorage(engine, size)
  }
  const free = (storage: Storage): void => {
    const slot = gpuStorage(storage)
    slot.freed = true
    countFree(count, slot.size * BYTES)
    slot.replace(null, 0)
  }
  const read = (storage: Storage, size: number): HostData => {
    const { handle } = gpuStorage(storage)
    return handle === null ? new Float32Array(size) : device.download(handle, size)
  }
  const launch = launcher(device, allocate, free)

  const engine: GpuEngine = {
    name: 'gpu',
    adapter: '',
    ready: Promise.resolve(),
    get backend() {
      return device.mode
    },
    get fallbackReason() {
      return [why, device.fallbackReason].filter(reason => reason !== '').join('; ')
    },
    bytesPerElement: BYTES,
    counter: count,
    allocate,
    free,
    write: (storage, values) => launch.place(storage, Float32Array.from(values)),
    read,
    ...kernels(launch),
    destroy: () => device.destroy(),
  }
  return engine
}
