/** The engines that laws K1-K3 hold. Adding one is adding a row. */
import { turnOnRelaxedSimd } from '../../pipelines/cli/relaxedSimd.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { gpuEngine } from '../../src/engine/gpu/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'

// Both binaries of the wasm engine are under test, on Node 20 too.
turnOnRelaxedSimd()

export interface EngineUnderTest {
  readonly name: string
  readonly make: () => Engine
  /** Random problems a kernel; a gpu.js kernel is compiled for each shape. */
  readonly runs: number
}

const all: readonly EngineUnderTest[] = [
  { name: 'reference', make: referenceEngine, runs: 10 },
  { name: 'wasm', make: wasmEngine, runs: 60 },
  { name: 'wasm without relaxed SIMD', make: () => wasmEngine({ relaxed: false }), runs: 30 },
  { name: 'wasm, two threads', make: () => wasmEngine({ threads: 2, splitFrom: 0 }), runs: 30 },
  { name: 'gpu cpu', make: () => gpuEngine({ mode: 'cpu' }), runs: 10 },
  { name: 'gpu webasm', make: () => gpuEngine({ mode: 'webasm' }), runs: 10 },
  { name: 'gpu webgpu', make: () => gpuEngine({ mode: 'webgpu' }), runs: 10 },
]

const only = process.env.ENGINE

/** Those that `ENGINE` names; all but `gpu webgpu`, which needs an adapter, where it names none. */
export const engines = all.filter(({ name }) => (only === undefined ? name !== 'gpu webgpu' : name === only))
