/** What lives as long as a device: its memory, compiled shaders with the bind groups of each, and buffers that the host can map. */
import { Arena, type Slice } from './arena.ts'
import { Buffers, type DeviceBuffer, USAGE } from './buffers.ts'
import { messageOf, stopped } from './message.ts'
import type { Program } from './program.ts'
import type { Launch } from './tasks.ts'

/** Shaders, and bind groups of each, kept. */
const KEPT = 4096
/** `GPUShaderStage.COMPUTE`. */
const COMPUTE = 4
/** Staging buffers kept, and bytes up to which reads share one; a longer read has its own, which is not kept. */
const STAGED = 4
export const SHARED = 2 ** 24

export interface Pipeline {
  readonly program: Program
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
  readonly groups: Map<string, GPUBindGroup>
}

export class Session {
  readonly device: GPUDevice
  readonly buffers: Buffers
  readonly arena: Arena
  readonly #pipelines = new Map<string, Pipeline>()
  readonly #staging: DeviceBuffer[] = []

  constructor(device: GPUDevice) {
    this.device = device
    this.buffers = new Buffers(device)
    this.arena = new Arena(this.buffers)
  }

  /** Compiled before, and from now on the last to be forgotten. */
  pipeline(key: string): Pipeline {
    const found = this.#pipelines.get(key)
    if (found === undefined) throw new RangeError(`the kernel '${key}' was not compiled`)
    this.#pipelines.delete(key)
    this.#pipelines.set(key, found)
    return found
  }

  /** Compiles what is missing, all at once. */
  async compile(launches: readonly Launch[]): Promise<void> {
    const missing = new Map<string, Launch>()
    for (const launch of launches) if (!this.#pipelines.has(launch.key)) missing.set(launch.key, launch)
    await Promise.all(
      [...missing].map(async ([key, { source }]) => this.#pipelines.set(key, await this.#compile(key, source()))),
    )
    const wanted = new Set(launches.map(({ key }) => key))
    for (const key of this.#pipelines.keys()) {
      if (this.#pipelines.size <= KEPT) break
      if (!wanted.has(key)) this.#pipelines.delete(key)
    }
  }

  async #compile(key: string, program: Program): Promise<Pipeline> {
    const { device } = this
    const module = device.createShaderModule({ code: program.code })
    const storage = (type: GPUBufferBindingType, count: number): GPUBufferBindingType[] => Array(count).fill(type)
    const types: readonly GPUBufferBindingType[] = [
      'uniform',
      ...storage('read-only-storage', program.reads),
      ...storage('storage', program.updates + program.writes),
    ]
    const layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: COMPUTE, buffer: { type } })),
    })
    try {
      const pipeline = await device.createComputePipelineAsync({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      })
      return { program, pipeline, layout, groups: new Map() }
    } catch (error) {
      const { messages } = await module.getCompilationInfo()
      const said = messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join('; ')
      throw stopped(`the GPU does not take the kernel '${key}': ${said || messageOf(error)}`, error)
    }
  }

  /** The operands of a shader, as it was bound to them before where it was. */
  bind({ layout, groups }: Pipeline, operands: readonly Slice[]): GPUBindGroup {
    let name = ''
    for (const { buffer, offset, size } of operands) name += `${buffer.id}:${offset}:${size} `
    const bound = groups.get(name)
    if (bound !== undefined) return bound
    const group = this.device.createBindGroup({
      layout,
      entries: operands.map(({ buffer, offset, size }, binding) => ({
        binding,
        resource: { buffer: buffer.gpu, offset, size },
      })),
    })
    if (groups.size >= KEPT) groups.clear()
    groups.set(name, group)
    return group
  }

  /** Gives spare memory back, and the bind groups of it. */
  trim(): void {
    if (this.buffers.trim()) for (const { groups } of this.#pipelines.values()) groups.clear()
  }

  /** A buffer that the host can map. */
  staging(bytes: number): DeviceBuffer {
    const at = this.#staging.findIndex(buffer => buffer.bytes >= bytes)
    const [found] = at < 0 ? [] : this.#staging.splice(at, 1)
    const room = bytes > SHARED ? bytes : 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)))
    return found ?? this.buffers.make(room, USAGE.mapRead | USAGE.copyTarget)
  }

  unstage(buffer: DeviceBuffer): void {
    if (this.#staging.length < STAGED && buffer.bytes <= SHARED) this.#staging.push(buffer)
    else this.buffers.destroy(buffer)
  }
}
