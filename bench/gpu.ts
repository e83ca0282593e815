/** The GPU of the rows named `gpu-`, what it can do at most, and what stands in for it where there is none. */
import { gpuEngine } from '../src/engine/gpu/engine.ts'
import { type FoundAdapter, findAdapter } from '../src/engine/gpu/webgpu/adapter.ts'
import type { WebgpuEngine } from '../src/engine/gpu/webgpu/engine.ts'
import { median } from './measure.ts'
import { Absent } from './row.ts'

export interface Gpu {
  readonly engine: WebgpuEngine
  /** Empty on a GPU; else why this run measures nothing. A trial takes small shapes. */
  readonly trial: string
}

const SOFTWARE = 'FLUXION_BENCH_SOFTWARE_GPU'

/** Each adapter gives one device. */
const adapter = async (): Promise<FoundAdapter> => {
  const found = await findAdapter()
  if (typeof found === 'string') throw new Absent(`needs a GPU: ${found}`)
  if (found.software && process.env[SOFTWARE] !== '1')
    throw new Absent(
      `needs a GPU: ${found.name} computes on the CPU (${SOFTWARE}=1 tries the row on it and records nothing)`,
    )
  return found
}

/** Throws `Absent` where no GPU answers. */
export const openGpu = async (): Promise<Gpu> => {
  const found = await adapter()
  const engine = gpuEngine({ mode: 'webgpu', found })
  await engine.ready
  return { engine, trial: found.software ? `${found.name} computes on the CPU, and the shapes are small` : '' }
}

const CHAINS = 8
const THREADS = 256
const COMPUTE = 4
const [STORAGE, COPY_TARGET] = [128, 8]
const RUNS = 7

const compute = (steps: number) => `
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let x = vec4<f32>(f32(id.x & 1u) * 1e-9 + 0.5);
  ${Array.from({ length: CHAINS }, (_, i) => `var s${i} = x * ${i}.0;`).join(' ')}
  for (var i = 0u; i < ${steps}u; i++) { ${Array.from({ length: CHAINS }, (_, i) => `s${i} = fma(s${i}, x, x);`).join(' ')} }
  let s = ${Array.from({ length: CHAINS }, (_, i) => `s${i}`).join(' + ')};
  if (s.x == 7.0) { out[0] = s; }
}`

const reading = (quads: number, threads: number) => `
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var s = vec4<f32>();
  for (var i = id.x; i < ${quads}u; i += ${threads}u) { s += x[i]; }
  if (s.x == 7.0) { x[0] = s; }
}`

export interface GpuRoofline {
  /** GFLOP/s of f32 fused multiply-adds from registers. */
  readonly fused: number
  /** GB/s read of a buffer that no cache holds. */
  readonly read: number
}

/** Work enough for some tens of milliseconds on a large GPU; a trial takes a thousandth. */
export const gpuRoofline = async (trial: boolean): Promise<GpuRoofline> => {
  const found = await adapter()
  const { maxStorageBufferBindingSize, maxBufferSize } = found.adapter.limits
  const device = await found.adapter.requestDevice({ requiredLimits: { maxStorageBufferBindingSize, maxBufferSize } })
  const bytes = Math.min(trial ? 2 ** 24 : 2 ** 30, maxStorageBufferBindingSize, maxBufferSize)
  const buffer = device.createBuffer({ size: bytes, usage: STORAGE | COPY_TARGET })
  const layout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: COMPUTE, buffer: { type: 'storage' } }],
  })
  const bound = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] })
  /** Seconds of one dispatch of so many workgroups, the median. */
  const seconds = async (code: string, groups: number): Promise<number> => {
    const pipeline = await device.createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ code }) },
    })
    const measured: number[] = []
    for (let i = -1; i < RUNS; i++) {
      const start = performance.now()
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, bound)
      pass.dispatchWorkgroups(groups)
      pass.end()
      device.queue.submit([encoder.finish()])
      await device.queue.onSubmittedWorkDone()
      if (i >= 0) measured.push((performance.now() - start) / 1000)
    }
    return median(measured)
  }
  const [groups, steps] = trial ? [64, 256] : [16_384, 4096]
  const readers = trial ? 64 : 4096
  const result = {
    fused: (2 * 4 * CHAINS * steps * groups * THREADS) / (await seconds(compute(steps), groups)) / 1e9,
    read: bytes / (await seconds(reading(bytes / 16, readers * THREADS), readers)) / 1e9,
  }
  device.destroy()
  return result
}
