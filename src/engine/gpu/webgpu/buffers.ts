/**
 * Device memory. Buffers are kept by size when they fall free: a step that does what the one before did takes the same buffers in the same
 * order, makes none, and meets the bind groups of the last time.
 */

/** Flags of the WebGPU specification; their namespaces are no globals in Node. */
export const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const
/** Offsets of bindings, at every device. */
export const ALIGNMENT = 256
/** Free bytes kept beside those in use. */
const SPARE = 2 ** 28

export interface DeviceBuffer {
  readonly gpu: GPUBuffer
  readonly bytes: number
  /** Names it in keys of bind groups; never given twice. */
  readonly id: number
  /** Storages that hold it. */
  owners: number
  /** The last encoding that used it. */
  encoding: number
}

/** Sizes in steps of an eighth of their power of two, up to the most there may be: few different ones, and little lost. */
export const sizeClass = (bytes: number, most: number): number => {
  const step = Math.max(ALIGNMENT, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 3))
  return Math.min(most, Math.max(ALIGNMENT, Math.ceil(bytes / step) * step))
}

/** The longest tensor that a device takes, in bytes: whole numbers of f32. */
export const mostBytes = ({ limits }: GPUDevice): number =>
  4 * Math.floor(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize) / 4)

export class Buffers {
  readonly #device: GPUDevice
  /** Bytes of the longest tensor. */
  readonly #most: number
  readonly #free = new Map<number, DeviceBuffer[]>()
  #made = 0
  #held = 0
  #spare = 0

  constructor(device: GPUDevice) {
    this.#device = device
    this.#most = mostBytes(device)
  }

  /** Buffers made so far. */
  get made(): number {
    return this.#made
  }

  /** Bytes on the device, in use or spare. */
  get held(): number {
    return this.#held
  }

  make(bytes: number, usage: number): DeviceBuffer {
    this.#held += bytes
    return { gpu: this.#device.createBuffer({ size: bytes, usage }), bytes, id: ++this.#made, owners: 1, encoding: 0 }
  }

  /** A storage buffer for one owner. `idle`: one that this encoding has not used, so that the host may write it. */
  take(size: number, encoding: number, idle = false): DeviceBuffer {
    if (size > this.#most)
      throw new RangeError(`a tensor of ${size} bytes is more than the ${this.#most} that this GPU takes`)
    const bytes = sizeClass(size, this.#most)
    const free = this.#free.get(bytes) ?? []
    let at = free.length - 1
    if (idle) while (at >= 0 && free[at]?.encoding === encoding) at--
    const [found] = at < 0 ? [] : free.splice(at, 1)
    const buffer = found ?? this.make(bytes, USAGE.storage | USAGE.copySource | USAGE.copyTarget)
    if (found !== undefined) this.#spare -= bytes
    buffer.owners = 1
    buffer.encoding = encoding
    return buffer
  }

  /** One owner less. */
  release(buffer: DeviceBuffer): void {
    if (--buffer.owners > 0) return
    const free = this.#free.get(buffer.bytes)
    if (free === undefined) this.#free.set(buffer.bytes, [buffer])
    else free.push(buffer)
    this.#spare += buffer.bytes
  }

  /** Free buffers in the order of their making: a step then takes the same ones as the step before, whatever order that one left them in. */
  order(): void {
    for (const buffers of this.#free.values()) buffers.sort((a, b) => a.id - b.id)
  }

  /** Gives spare memory back where it is more than what is in use and some; whether it did. */
  trim(): boolean {
    if (this.#spare <= SPARE + (this.#held - this.#spare)) return false
    for (const buffers of this.#free.values()) for (const { gpu } of buffers) gpu.destroy()
    this.#free.clear()
    this.#held -= this.#spare
    this.#spare = 0
    return true
  }

  destroy(buffer: DeviceBuffer): void {
    this.#held -= buffer.bytes
    buffer.gpu.destroy()
  }
}
