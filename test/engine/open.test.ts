/** `auto` takes a GPU of real hardware and no other: adapters are told by what they say of themselves. */
import { spawnSync } from 'node:child_process'
import test from 'tape'
import { findAdapter } from '../../src/engine/gpu/webgpu/adapter.ts'
import { openEngine } from '../../src/engine/open.ts'

interface Info {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
  readonly isFallbackAdapter: boolean
}

const info = (fields: Partial<Info>): Info => ({
  vendor: '',
  architecture: '',
  device: '',
  description: '',
  isFallbackAdapter: false,
  ...fields,
})

const software: readonly Info[] = [
  info({ vendor: 'google', architecture: 'swiftshader', description: 'SwiftShader Device (Subzero)' }),
  info({ vendor: 'mesa', description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }),
  info({ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }),
  info({ vendor: 'intel', description: 'an adapter that says it computes on the CPU' }),
  info({ vendor: 'any', isFallbackAdapter: true }),
]

const real: readonly Info[] = [
  info({ vendor: 'nvidia', architecture: 'hopper', description: 'NVIDIA H100 80GB HBM3' }),
  info({ vendor: 'apple', architecture: 'metal-3' }),
  info({ vendor: 'intel', architecture: 'gen-12lp', description: 'Intel(R) Iris(R) Xe Graphics' }),
  info({ vendor: 'amd', architecture: 'rdna-2', description: 'AMD Radeon RX 6800' }),
]

/** Runs with a `navigator` that answers so to whoever asks for an adapter. */
const withNavigator = async <T>(requestAdapter: () => Promise<unknown>, run: () => Promise<T>): Promise<T> => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: { requestAdapter } }, configurable: true })
  try {
    return await run()
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator')
    else Object.defineProperty(globalThis, 'navigator', before)
  }
}

/** Runs where the only adapter says this of itself, and gives no device. */
const withAdapter = <T>(said: Info | null, run: () => Promise<T>): Promise<T> => {
  const requestDevice = () => Promise.reject(new Error('no device today'))
  return withNavigator(() => Promise.resolve(said === null ? null : { info: said, limits: {}, requestDevice }), run)
}

test('auto never takes a software adapter', async t => {
  for (const one of software) {
    const { engine, reason } = await withAdapter(one, () => openEngine('auto'))
    t.equal(engine.name, 'wasm', reason)
    t.match(reason, /the only WebGPU adapter, .+, computes on the CPU/, 'and the reason says so')
  }
  const { engine, reason } = await withAdapter(null, () => openEngine('auto'))
  t.equal(engine.name, 'wasm')
  t.match(reason, /no WebGPU adapter answers/)
  t.match((await openEngine('auto', { noGpu: 'no GPU in /dev' })).reason, /^no GPU in \/dev, and WebAssembly SIMD/)
  t.end()
})

test('auto goes for real hardware, and to wasm where it does not open', async t => {
  for (const one of real) {
    const found = await withAdapter(one, findAdapter)
    t.equal(
      typeof found === 'string' || found.software,
      false,
      `negative control: ${one.description || one.architecture}`,
    )
    const { engine, reason } = await withAdapter(one, () => openEngine('auto'))
    t.equal(engine.name, 'wasm')
    t.match(reason, /WebGPU has a GPU, .+, that does not open: .*no device today/)
  }
  t.end()
})

test('auto goes to wasm where asking for an adapter fails', async t => {
  const { engine, reason } = await withNavigator(
    () => Promise.reject(new Error('the driver crashed')),
    () => openEngine('auto'),
  )
  t.equal(engine.name, 'wasm')
  t.match(reason, /WebGPU finds no adapter: the driver crashed/)
  t.end()
})

test('auto goes to the reference where there is no WebAssembly', async t => {
  const program = `
    import { openEngine } from ${JSON.stringify(new URL('../../src/engine/open.ts', import.meta.url).href)}
    const { engine, reason } = await openEngine('auto', { noGpu: 'no GPU in /dev' })
    console.log(JSON.stringify({ name: engine.name, reason }))`
  const opened = (...flags: readonly string[]) => {
    const run = ['--import', 'tsx', '--input-type=module', '-e', program]
    const { stdout } = spawnSync(process.execPath, [...flags, ...run], { encoding: 'utf8' })
    return JSON.parse(stdout)
  }
  const { name, reason } = opened('--no-expose-wasm')
  t.equal(name, 'reference')
  t.match(reason, /^no GPU in \/dev; WebAssembly SIMD does not run here: .*WebAssembly/, reason)
  t.equal(opened().name, 'wasm', 'negative control: with WebAssembly it does not')
  t.end()
})
