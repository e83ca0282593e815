import { UsedAfterFreeError } from '../../../errors.ts'
import { Storage } from '../../../tensor/storage.ts'
import type { DeviceBuffer } from './buffers.ts'

/** Where the numbers of a storage are: on the device, still on the host, or nowhere yet, which reads as zeros. */
export class Slot extends Storage {
  buffer: DeviceBuffer | null = null
  host: Float32Array | null = null
  /** Elements written. */
  length = 0
  freed = false
  /** While dead work is looked for, last to first: whether later work reads it. */
  needed = false
}

export const slotOf = (storage: Storage): Slot => {
  if (!(storage instanceof Slot))
    throw new TypeError(`a storage of the ${storage.engine.name} engine reached the gpu engine`)
  if (storage.freed) throw new UsedAfterFreeError('a storage of the gpu engine was used after it was freed')
  return storage
}
