import { UsedAfterFreeError } from '../../errors.ts'
import { Storage } from '../../tensor/storage.ts'
import { discard, type Handle } from './device.ts'

/**
 * A slot that holds the current handle of its numbers. Handles are immutable: a kernel that writes "in place" puts a new one
 * here and deletes the old. An empty slot was allocated and never written.
 */
export class GpuStorage extends Storage {
  handle: Handle | null = null
  /** Elements of the handle. */
  length = 0
  freed = false

  replace(handle: Handle | null, length: number): void {
    discard(this.handle)
    this.handle = handle
    this.length = length
  }
}

export const gpuStorage = (storage: Storage): GpuStorage => {
  if (!(storage instanceof GpuStorage))
    throw new TypeError(`a storage of the ${storage.engine.name} engine reached the gpu engine`)
  if (storage.freed) throw new UsedAfterFreeError('a storage of the gpu engine was used after it was freed')
  return storage
}
