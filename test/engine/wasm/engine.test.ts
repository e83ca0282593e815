import test from 'tape'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
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
