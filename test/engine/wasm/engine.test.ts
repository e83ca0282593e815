import test from 'tape'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { processors } from '../../../src/engine/wasm/host.ts'
import { loadKernels } from '../../../src/engine/wasm/kernels.ts'
import { Memory, OutOfMemoryError } from '../../../src/engine/wasm/memory.ts'
import { UsedAfterFreeError } from '../../../src/errors.ts'
import { engines, get, nth, numbers, put } from './support.ts'

test('wasm engine: says what runs', t => {
  t.deepEqual(
    engines.map(engine => engine.name),
    ['wasm', 'wasm'],
  )
  t.equal(nth(engines, 0).backend, 'wasm-simd')
  t.comment(`second engine: ${nth(engines, 1).backend} ${nth(engines, 1).fallbackReason}`)
  t.end()
})

test('wasm engine: growth keeps what was written', t => {
  const engine = wasmEngine()
  const values = numbers(1000)
  const first = put(engine, values)
  const large = [4e5, 1e6, 3e6].map(size => put(engine, numbers(size, size)))
  t.deepEqual(get(first), values)
  t.deepEqual(get(nth(large, 2)), numbers(3e6, 3e6))
  t.deepEqual(get(first, 10), values.slice(0, 10), 'a read is a copy of the first numbers')
  t.end()
})

test('S15: allocated minus freed, and live bytes, come back to zero', t => {
  const engine = wasmEngine()
  const storages = [0, 1, 5, 1000].map(size => engine.allocate(size))
  t.equal(engine.counter.liveBytes, 4 * 1006)
  for (const storage of storages) engine.free(storage)
  t.deepEqual(
    [engine.counter.allocated, engine.counter.freed, engine.counter.liveBytes, engine.counter.peakBytes],
    [4, 4, 0, 4024],
  )
  t.throws(() => engine.free(nth(storages, 0)), UsedAfterFreeError)
  t.throws(() => engine.write(nth(storages, 1), [1, 2]), RangeError)
  t.throws(() => engine.read(nth(storages, 2), 6), RangeError)
  t.end()
})

test('wasm engine: exhausted memory says so and leaves the engine usable', t => {
  const engine = wasmEngine({ maximumBytes: 1 << 21 })
  const half = engine.allocate(300000)
  t.throws(() => engine.allocate(300000), /out of memory: 1\.1 MiB more asked, 1\.\d MiB in use, 2\.0 MiB at most/)
  t.equal(engine.counter.allocated, 1)
  engine.free(half)
  t.doesNotThrow(() => engine.free(engine.allocate(300000)))
  t.end()
})

test('memory: where the host gives less than is wished, what is needed is enough', t => {
  const memory = new Memory(2 ** 26)
  const grown = memory.wasm.grow.bind(memory.wasm)
  let most = 0
  memory.wasm.grow = pages => {
    if (pages > most) throw new RangeError('the host has no more')
    return grown(pages)
  }
  t.throws(() => memory.allocate(100_000), OutOfMemoryError)
  most = 1
  t.ok(memory.allocate(100_000), 'a page more, but not a mebibyte')
  t.equal(memory.wasm.buffer.byteLength, 2 * 2 ** 16)
  t.end()
})

test('memory: where the host gives no more, what kernels left behind makes room', t => {
  const memory = new Memory(2 ** 26)
  const address = memory.scratch(1_000_000)
  memory.wasm.grow = () => {
    throw new RangeError('the host has no more')
  }
  t.equal(memory.allocate(900_000).address, address)
  let cause: unknown
  try {
    memory.allocate(2_000_000)
  } catch (error) {
    if (error instanceof OutOfMemoryError) cause = error.cause
  }
  t.match(String(cause), /the host has no more/, 'and the error names the cause')
  t.end()
})

test('scratch memory beyond 32 bits is asked for whole', t => {
  for (const relaxed of [false, true]) {
    const { kernels } = loadKernels(new Memory(2 ** 20).wasm, relaxed, false)
    t.ok(kernels.halvesScratch(4, 2 ** 23) >= 2 ** 32, 'halves')
    t.ok(kernels.winogradWeightGradientScratch(0, 5464, 5464, 8, 8) >= 2 ** 32, 'gradients of weights by tiles')
    t.ok(kernels.gemmScratch(3, 2 ** 29) >= 2 ** 32 && kernels.panelScratch(2 ** 27) >= 2 ** 32, 'products')
  }
  t.end()
})

test('wasm engine: options out of range are errors', t => {
  for (const options of [{ threads: 0 }, { threads: 257 }, { threads: 1.5 }, { splitFrom: -1 }, { patience: 0 }])
    t.throws(() => wasmEngine(options), RangeError, JSON.stringify(options))
  t.throws(() => wasmEngine({ patience: Number.NaN }), RangeError, 'NaN')
  t.end()
})

test('processors: 1 where the host does not say', t => {
  const of = (global: 'process' | 'navigator', value: object | undefined, count: () => number): number => {
    const before = Object.getOwnPropertyDescriptor(globalThis, global)
    Object.defineProperty(globalThis, global, { value, configurable: true })
    try {
      return count()
    } finally {
      if (before === undefined) Reflect.deleteProperty(globalThis, global)
      else Object.defineProperty(globalThis, global, before)
    }
  }
  const inBrowser = (navigator: object | undefined): number =>
    of('process', undefined, () => of('navigator', navigator, processors))
  t.equal(inBrowser({ hardwareConcurrency: 3 }), 3)
  t.equal(inBrowser({}), 1)
  t.equal(inBrowser(undefined), 1)
  t.ok(processors() >= 1)
  t.end()
})
