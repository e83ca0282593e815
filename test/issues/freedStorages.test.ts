/** Kernels of the wasm engine read and wrote storages that were freed, or another engine's, and the shape engine let a storage be freed twice. */
import test from 'tape'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { UsedAfterFreeError } from '../../src/errors.ts'
import type { Storage } from '../../src/tensor/storage.ts'
import { get } from '../engine/wasm/support.ts'

test('a storage that was freed, or that another engine holds, reaches no wasm kernel', t => {
  const [engine, other] = [wasmEngine(), wasmEngine()]
  const [x, y, freed, foreign] = [engine.allocate(16), engine.allocate(16), engine.allocate(16), other.allocate(16)]
  engine.free(freed)
  const successor = engine.allocate(16)
  engine.write(successor, new Array(16).fill(7))
  const sizes = { rows: 4, inner: 4, columns: 4, batch: 1, xBatched: false, yBatched: false }
  const product = (weight: Storage, bias: Storage | null) =>
    engine.fused.linear?.(x, y, weight, bias, { ...sizes, transposeX: false, transposeY: false })
  const rates = { rate: 1, beta1: 0.5, beta2: 0.5, epsilon: 1, correction1: 1, correction2: 1 }
  const uses: Readonly<Record<string, (storage: Storage) => unknown>> = {
    read: storage => engine.read(storage, 16),
    write: storage => engine.write(storage, [1]),
    fill: storage => engine.primitives.fill(storage, 0, 16),
    copy: storage => engine.primitives.copy(x, storage, 16),
    gather: storage => engine.primitives.gather(x, storage, Int32Array.of(1), 4, 4),
    weight: storage => product(storage, null),
    bias: storage => product(y, storage),
    softmax: storage => engine.fused.softmax?.(storage, y, { rows: 4, columns: 4 }),
    sumOfSquares: storage => engine.fused.sumOfSquares?.(x, [storage], [16]),
    quantizedGather: storage =>
      engine.fused.quantizedGather?.(x, storage, Int32Array.of(1), { type: 'f16', inner: 4, columns: 4 }),
    adamW: storage =>
      engine.fused.adamW?.(
        [
          {
            ...{ update: x, firstMoment: x, secondMoment: y, gradient: y, weightDecay: 0, size: 16 },
            parameter: storage,
          },
        ],
        rates,
      ),
  }
  for (const [name, use] of Object.entries(uses)) {
    t.throws(() => use(freed), UsedAfterFreeError, `${name}: freed`)
    t.throws(() => use(foreign), TypeError, `${name}: foreign`)
    t.doesNotThrow(() => use(y), `${name}: its own`)
  }
  t.throws(() => engine.free(foreign), UsedAfterFreeError)
  t.deepEqual([...new Set(get(successor))], [7], 'the storage in its place is as it was')
  t.end()
})

test('a storage of the shape engine is freed once, by its engine', t => {
  const engine = shapeEngine()
  const storage = engine.allocate(3)
  t.throws(() => shapeEngine().free(storage), UsedAfterFreeError)
  engine.free(storage)
  t.throws(() => engine.free(storage), UsedAfterFreeError)
  t.equal(engine.counter.freed, 1)
  t.end()
})

test('an engine of less than a page says what it takes', t => {
  for (const maximumBytes of [1000, 0, -1, Number.NaN])
    t.throws(() => wasmEngine({ maximumBytes }), /^RangeError: maximumBytes: expected 65536 or more, found/)
  t.ok(wasmEngine({ maximumBytes: 65536 }).allocate(10), 'a page is enough')
  t.end()
})
