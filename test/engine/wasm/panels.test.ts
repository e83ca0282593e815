/** Matrices that products of few rows read again and again change their order in memory, and nobody sees it. */
import test from 'tape'
import type { HostData } from '../../../src/engine/engine.ts'
import type { MatmulSizes } from '../../../src/engine/primitives.ts'
import { PANEL } from '../../../src/engine/wasm/costs.ts'
import { type WasmEngine, wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { OutOfMemoryError } from '../../../src/engine/wasm/memory.ts'
import { ownStorage } from '../../../src/engine/wasm/storage.ts'
import type { Storage } from '../../../src/tensor/storage.ts'
import { get, numbers, put, sameBits } from './support.ts'

const INNER = 270
const COLUMNS = 72
const TAIL = 5

const sizesOf = (rows: number, columns: number, transposeY: boolean): MatmulSizes => ({
  batch: 1,
  xBatched: false,
  yBatched: false,
  rows,
  inner: INNER,
  columns,
  transposeX: false,
  transposeY,
})

const threaded = (threads: number): WasmEngine => {
  const engine = wasmEngine({ threads, splitFrom: 0 })
  engine.warm()
  return engine
}

/** x y + bias with the first `rows` rows of x; y stays where it is. */
const product = (engine: WasmEngine, x: Storage, y: Storage, bias: Storage, sizes: MatmulSizes): HostData => {
  const out = put(engine, new Float32Array(sizes.rows * sizes.columns).fill(Number.NaN))
  engine.fused.linear?.(out, x, y, bias, sizes)
  const result = get(out)
  engine.free(out)
  return result
}

const inPanels = (storage: Storage): boolean => ownStorage(storage).panels !== null

/** Multiplies by y until it lies in panels; how many products that took, 100 at most. */
const insist = (engine: WasmEngine, x: Storage, y: Storage, bias: Storage, sizes: MatmulSizes): number => {
  for (let i = 1; i <= 100; i++) {
    product(engine, x, y, bias, sizes)
    if (inPanels(y)) return i
  }
  return Infinity
}

test('L1, L4: products have the same bits from rows, from columns and from panels, on any number of threads', t => {
  for (const engine of [wasmEngine({ relaxed: false }), wasmEngine(), threaded(2), threaded(3)]) {
    const x = put(engine, numbers(120 * INNER, 1))
    for (const [columns, transposeY] of [
      [COLUMNS, false],
      [COLUMNS, true],
      [COLUMNS + TAIL, true],
    ] as const) {
      const name = `${engine.backend}, ${engine.threads} threads, ${columns} columns${transposeY ? ', transposed' : ''}`
      const values = numbers(INNER * columns, 2)
      const bias = put(engine, numbers(columns, 3))
      const [y, plain] = [put(engine, values), put(engine, values)]
      const few = sizesOf(1, columns, transposeY)
      t.notOk(inPanels(y))
      t.ok(insist(engine, x, y, bias, few) < 100, `${name}: in panels`)
      for (const rows of [...Array.from({ length: 20 }, (_, i) => i + 1), 100, 120]) {
        const sizes = sizesOf(rows, columns, transposeY)
        const expected = product(engine, x, plain, bias, sizes)
        // Read once, so that it stays as it was written.
        plain.engine.write(plain, values)
        ownStorage(plain).reads = 0
        if (!sameBits(product(engine, x, y, bias, sizes), expected)) t.fail(`${name}: ${rows} rows`)
      }
      t.ok(inPanels(y), 'products of any number of rows leave it there')
      const transposed = put(engine, numbers(INNER * 30, 4))
      const turned = { ...sizesOf(30, columns, transposeY), transposeX: true }
      const found = product(engine, transposed, y, bias, turned)
      t.ok(sameBits(found, product(engine, transposed, plain, bias, turned)), `${name}: x transposed`)
      t.ok(sameBits(get(y), values), `${name}: reads see the numbers as written`)
      t.notOk(inPanels(y))
      for (const storage of [y, plain, bias, transposed]) engine.free(storage)
    }
    engine.free(x)
    t.equal(engine.counter.allocated - engine.counter.freed, 0)
    engine.close()
  }
  t.end()
})

test('panels: every other kernel finds the numbers in order, and a matrix that is wanted so is left alone for longer', t => {
  const engine = wasmEngine()
  const values = numbers(INNER * COLUMNS, 2)
  const [x, bias, y] = [put(engine, numbers(INNER, 1)), put(engine, numbers(COLUMNS, 3)), put(engine, values)]
  const sizes = sizesOf(1, COLUMNS, false)
  const first = insist(engine, x, y, bias, sizes)
  const out = engine.allocate(values.length)
  engine.primitives.copy(out, y, values.length)
  t.ok(sameBits(get(out), values), 'copied')
  const second = insist(engine, x, y, bias, sizes)
  t.ok(second > 4 * first, `${first} products, then ${second}`)
  engine.primitives.accumulate(y, out, -1, values.length)
  t.ok(
    product(engine, x, y, bias, sizes).every((value, j) => value === get(bias)[j]),
    'written in place',
  )
  engine.write(y, values)
  t.ok(
    sameBits(
      product(engine, x, y, bias, { ...sizes, inner: 27, columns: COLUMNS * 10 }).slice(0, 3),
      product(engine, x, out, bias, { ...sizes, inner: 27, columns: COLUMNS * 10 }).slice(0, 3),
    ),
    'another view of it',
  )
  t.end()
})

test('panels: a table of embeddings that is multiplied too gives its rows from panels', t => {
  for (const engine of [wasmEngine(), threaded(2)]) {
    const rows = COLUMNS + TAIL
    const values = numbers(rows * INNER, 2)
    const [x, bias, table] = [put(engine, numbers(INNER, 1)), put(engine, numbers(rows, 3)), put(engine, values)]
    const ids = Int32Array.of(0, 7, 8, 71, 72, 76, 8)
    const out = engine.allocate(ids.length * INNER)
    const gathered = (): HostData => {
      engine.primitives.gather(out, table, ids, rows, INNER)
      return get(out)
    }
    const expected = gathered()
    insist(engine, x, table, bias, sizesOf(1, rows, true))
    t.ok(sameBits(gathered(), expected))
    t.ok(inPanels(table), 'and stays there')
    engine.primitives.gather(out, table, Int32Array.of(3), rows * 2, INNER / 2)
    t.ok(sameBits(get(out, INNER / 2), values.slice(3 * (INNER / 2), 4 * (INNER / 2))), 'under another shape')
    engine.close()
  }
  t.end()
})

test('panels: what is small, batched, an odd width of rows, or multiplied by many rows stays as it is', t => {
  const engine = wasmEngine()
  const unchanged = (sizes: MatmulSizes, count = 1): boolean => {
    const { batch, rows, inner, columns } = sizes
    const [x, y] = [put(engine, numbers(batch * rows * inner, 1)), put(engine, numbers(count * inner * columns, 2))]
    const out = engine.allocate(batch * rows * columns)
    for (let i = 0; i < 100; i++) engine.primitives.matmul(out, x, y, sizes)
    return !inPanels(y)
  }
  t.ok(unchanged({ ...sizesOf(1, 16, false), inner: 16 }), 'small')
  t.ok(unchanged({ ...sizesOf(1, COLUMNS, true), batch: 2, xBatched: true, yBatched: true }, 2), 'batched')
  t.ok(unchanged(sizesOf(1, COLUMNS + TAIL, false)), 'an odd width')
  t.ok(unchanged(sizesOf(65, COLUMNS, false)), 'many rows')
  t.notOk(unchanged(sizesOf(64, COLUMNS, false)), 'negative control')
  const square = put(engine, numbers(16 * INNER, 1))
  const out = engine.allocate(16 * 16)
  const gram = { ...sizesOf(16, 16, true) }
  for (let i = 0; i < 100; i++) engine.primitives.matmul(out, square, square, gram)
  t.notOk(inPanels(square), 'a product with itself')
  t.end()
})

/** Takes all memory that the engine has left; gives it back. */
const fill = (engine: WasmEngine): (() => void) => {
  const held: Storage[] = []
  for (let size = 2 ** 20; size > 0; size = Math.floor(size / 2))
    for (;;)
      try {
        held.push(engine.allocate(size))
      } catch {
        break
      }
  return () => {
    for (const storage of held) engine.free(storage)
  }
}

test('panels: strips of any height, and rows that none divides', t => {
  const engine = wasmEngine()
  for (const [inner, columns] of [
    [1, 4096],
    [1021, 1024],
    [512, 1024],
    [96, 32 * PANEL],
    [3, 2 ** 17],
  ] as const) {
    const values = numbers(inner * columns, 2)
    const [x, bias, y] = [put(engine, numbers(inner, 1)), put(engine, numbers(columns, 3)), put(engine, values)]
    const sizes = { ...sizesOf(1, columns, false), inner }
    const expected = product(engine, x, y, bias, sizes)
    insist(engine, x, y, bias, sizes)
    t.ok(inPanels(y) && sameBits(product(engine, x, y, bias, sizes), expected), `${inner} x ${columns}`)
    t.ok(sameBits(get(y), values), 'and back')
    for (const storage of [x, bias, y]) engine.free(storage)
  }
  t.end()
})

/** Matrices whose change takes 2 MiB, more than a product: long rows, long columns. */
const LONG = [
  [2, 2 ** 19, false],
  [2 ** 16, 16, true],
] as const

test('panels: a product for which there is memory goes on without the memory to change its matrix', t => {
  for (const [inner, columns, transposeY] of LONG) {
    const engine = wasmEngine({ maximumBytes: 12 * 2 ** 20 })
    const values = numbers(inner * columns, 2)
    const [x, y, out] = [put(engine, numbers(inner, 1)), put(engine, values), engine.allocate(columns)]
    const sizes = { ...sizesOf(1, columns, transposeY), inner }
    const times = (): HostData => {
      engine.primitives.matmul(out, x, y, sizes)
      return get(out)
    }
    const expected = times()
    const room = engine.allocate(2 ** 18)
    const release = fill(engine)
    engine.free(room)
    for (let i = 0; i < 8; i++) if (!sameBits(times(), expected)) t.fail(`product ${i} of a full memory`)
    t.notOk(inPanels(y), 'left as it was')
    release()
    t.ok(sameBits(get(y), values))
  }
  t.end()
})

test('panels: what there is no memory to put back is in order once there is', t => {
  for (const [inner, columns, transposeY] of LONG) {
    const engine = wasmEngine({ maximumBytes: 2 ** 24 })
    const values = numbers(inner * columns, 2)
    const [x, y, bias] = [put(engine, numbers(inner, 1)), put(engine, values), put(engine, numbers(columns, 3))]
    insist(engine, x, y, bias, { ...sizesOf(1, columns, transposeY), inner })
    const release = fill(engine)
    t.throws(() => get(y), OutOfMemoryError)
    t.ok(inPanels(y), 'nothing was moved')
    release()
    t.ok(sameBits(get(y), values), 'the numbers as written')
  }
  t.end()
})

test('panels: the change takes little memory beside a large matrix', t => {
  const engine = wasmEngine({ maximumBytes: 6 * 2 ** 20 })
  const [inner, columns] = [1024, 1024]
  const [x, bias] = [put(engine, numbers(inner, 1)), put(engine, numbers(columns, 3))]
  const y = put(engine, numbers(inner * columns, 2))
  t.ok(insist(engine, x, y, bias, { ...sizesOf(1, columns, false), inner }) < 100)
  t.end()
})
