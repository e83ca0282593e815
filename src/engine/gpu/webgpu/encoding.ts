/**
 * Tasks as commands: one command buffer, whose dispatches share one compute pass as far as no copy comes between. Memory is taken and
 * given back in the order of the tasks, so that a step reuses its own.
 */

import type { Slice } from './arena.ts'
import type { DeviceBuffer } from './buffers.ts'
import { type Session, SHARED } from './session.ts'
import type { Slot } from './slot.ts'
import type { Launch, Read, Task } from './tasks.ts'

/** A read whose numbers are on the host already. */
export interface Answer {
  readonly read: Read
  readonly values: Float32Array
}

/** Reads whose numbers come through one staging buffer, one after the other. */
export interface Readback {
  readonly staging: DeviceBuffer
  readonly bytes: number
  readonly reads: readonly Read[]
}

export interface Encoded {
  readonly answers: readonly Answer[]
  readonly readbacks: readonly Readback[]
  readonly launches: number
}

/** A read and the buffer that holds its numbers until they are copied. */
interface Source {
  readonly read: Read
  readonly buffer: DeviceBuffer
}

const bytesOf = (sources: readonly Source[]): number => sources.reduce((sum, { read }) => sum + 4 * read.size, 0)

/** Sources in their order, those of one staging buffer together. */
const grouped = (sources: readonly Source[]): readonly (readonly Source[])[] => {
  const groups: Source[][] = []
  for (const source of sources) {
    const last = groups.at(-1)
    if (last !== undefined && bytesOf([...last, source]) <= SHARED) last.push(source)
    else groups.push([source])
  }
  return groups
}

/** What a slot holds from now on; what it held loses an owner. */
export const put = (
  session: Session | null,
  slot: Slot,
  buffer: DeviceBuffer | null,
  host: Float32Array | null,
  length: number,
): void => {
  if (slot.buffer !== null) session?.buffers.release(slot.buffer)
  slot.buffer = buffer
  slot.host = host
  slot.length = length
}

/** Tasks that only name numbers. */
export const settle = (session: Session | null, task: Exclude<Task, Launch | Read>): void => {
  if (task.kind === 'free') put(session, task.slot, null, null, 0)
  else if (task.kind === 'place') put(session, task.out, null, task.values, task.values.length)
  else {
    const { buffer, host, length } = task.x
    if (buffer !== null) buffer.owners++
    put(session, task.out, buffer, host, length)
  }
}

const whole = (buffer: DeviceBuffer): Slice => ({ buffer, offset: 0, size: buffer.bytes })

class Encoding {
  readonly #session: Session
  readonly #index: number
  readonly #encoder: GPUCommandEncoder
  #pass: GPUComputePassEncoder | null = null

  constructor(session: Session, index: number) {
    this.#session = session
    this.#index = index
    this.#encoder = session.device.createCommandEncoder()
  }

  finish(): GPUCommandBuffer {
    this.#endPass()
    return this.#encoder.finish()
  }

  copy(from: DeviceBuffer, to: DeviceBuffer, at: number, bytes: number): void {
    this.#endPass()
    this.#encoder.copyBufferToBuffer(from.gpu, 0, to.gpu, at, bytes)
  }

  run({ key, groups, reads, updates, writes, scalars }: Launch): void {
    const session = this.#session
    const pipeline = session.pipeline(key)
    const { parameters } = pipeline.program
    const { slice, words } = session.arena.reserve(parameters.bytes)
    words.set(parameters.fixed)
    const [integers, reals] = [
      new Int32Array(words.buffer, words.byteOffset, words.length),
      new Float32Array(words.buffer, words.byteOffset, words.length),
    ]
    parameters.scalars.forEach(({ word, integer }, i) => {
      ;(integer ? integers : reals)[word] = scalars[i] ?? 0
    })
    const inputs = reads.map(x => this.#operand(x))
    const updated = updates.map(slot => whole(this.#own(slot, inputs)))
    const written = writes.map(({ cells }) => session.buffers.take(4 * cells, this.#index))
    this.#pass ??= this.#encoder.beginComputePass()
    this.#pass.setPipeline(pipeline.pipeline)
    this.#pass.setBindGroup(0, session.bind(pipeline, [slice, ...inputs, ...updated, ...written.map(whole)]))
    this.#pass.dispatchWorkgroups(groups[0], groups[1])
    // Only now: a kernel may read what its result replaces.
    writes.forEach(({ slot, cells }, i) => {
      put(session, slot, written[i] ?? null, null, cells)
    })
  }

  #endPass(): void {
    this.#pass?.end()
    this.#pass = null
  }

  /** The numbers of a slot on the device, uploaded if they are not there, into memory that no command of this encoding uses. */
  #resident(slot: Slot): DeviceBuffer {
    if (slot.buffer !== null) {
      slot.buffer.encoding = this.#index
      return slot.buffer
    }
    const values = slot.host ?? new Float32Array(slot.size)
    const buffer = this.#session.buffers.take(4 * values.length, this.#index, true)
    this.#session.device.queue.writeBuffer(buffer.gpu, 0, values)
    put(this.#session, slot, buffer, null, values.length)
    return buffer
  }

  /** As `#resident`, in memory of its own: what others hold, or what the same kernel reads, is copied. */
  #own(slot: Slot, reads: readonly Slice[]): DeviceBuffer {
    const held = this.#resident(slot)
    if (held.owners === 1 && !reads.some(({ buffer }) => buffer === held)) return held
    const buffer = this.#session.buffers.take(4 * slot.length, this.#index)
    this.copy(held, buffer, 0, 4 * slot.length)
    put(this.#session, slot, buffer, null, slot.length)
    return buffer
  }

  #operand(x: Slot | Float32Array): Slice {
    if (!(x instanceof Float32Array)) return whole(this.#resident(x))
    const { slice, words } = this.#session.arena.reserve(4 * x.length)
    new Float32Array(words.buffer, words.byteOffset, x.length).set(x)
    return slice
  }
}

/** Encodes and submits tasks whose kernels are compiled. */
export const submit = (session: Session, tasks: readonly Task[], index: number): Encoded => {
  const { device, buffers, arena } = session
  buffers.order()
  const encoding = new Encoding(session, index)
  const answers: Answer[] = []
  const sources: Source[] = []
  let launches = 0
  for (const task of tasks) {
    if (task.kind === 'launch') {
      encoding.run(task)
      launches++
    } else if (task.kind !== 'read') settle(session, task)
    else {
      const { slot, size } = task
      const { buffer, host } = slot
      if (buffer === null || size === 0)
        answers.push({ read: task, values: (host ?? new Float32Array(size)).slice(0, size) })
      else {
        // Held until the copy at the end: whoever updates the slot in place from now on has its own.
        buffer.owners++
        sources.push({ read: task, buffer })
      }
    }
  }
  const readbacks = grouped(sources).map((group): Readback => {
    const bytes = bytesOf(group)
    const staging = session.staging(bytes)
    let at = 0
    for (const { read, buffer } of group) {
      encoding.copy(buffer, staging, at, 4 * read.size)
      at += 4 * read.size
      buffers.release(buffer)
    }
    return { staging, bytes, reads: group.map(({ read }) => read) }
  })
  arena.flush(device.queue)
  device.queue.submit([encoding.finish()])
  session.trim()
  return { answers, readbacks, launches }
}
