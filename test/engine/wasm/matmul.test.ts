import fc from 'fast-check'
import test from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import type { MatmulSizes } from '../../../src/engine/primitives.ts'
import { computed, engines, gamma, nth, numbers, sameBits, worst } from './support.ts'

const product = (engine: Engine, x: ArrayLike<number>, y: ArrayLike<number>, sizes: MatmulSizes): HostData =>
  computed(engine, sizes.batch * sizes.rows * sizes.columns, [x, y], (out, a, b) =>
    engine.primitives.matmul(out, a, b, sizes),
  )

/** x y in f64, and |x| |y| for the bound. */
const plain = (x: Float32Array, y: Float32Array, sizes: MatmulSizes): { exact: Float64Array; size: Float64Array } => {
  const { batch, rows, inner, columns } = sizes
  const exact = new Float64Array(batch * rows * columns)
  const size = new Float64Array(batch * rows * columns)
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let k = 0; k < inner; k++) {
          const xAt = (sizes.xBatched ? b * rows * inner : 0) + (sizes.transposeX ? k * rows + i : i * inner + k)
          const yAt = (sizes.yBatched ? b * inner * columns : 0) + (sizes.transposeY ? j * inner + k : k * columns + j)
          const term = (x[xAt] ?? 0) * (y[yAt] ?? 0)
          const at = (b * rows + i) * columns + j
          exact[at] = (exact[at] ?? 0) + term
          size[at] = (size[at] ?? 0) + Math.abs(term)
        }
  return { exact, size }
}

const arbitrarySizes = fc.record({
  batch: fc.integer({ min: 0, max: 3 }),
  xBatched: fc.boolean(),
  yBatched: fc.boolean(),
  rows: fc.integer({ min: 0, max: 21 }),
  inner: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 250, max: 262 })),
  columns: fc.integer({ min: 0, max: 27 }),
  transposeX: fc.boolean(),
  transposeY: fc.boolean(),
})

test('K1: matmul within gamma of the f64 product, all transposes, batches and remainders', t => {
  for (const engine of engines) {
    let most = 0
    fc.assert(
      fc.property(arbitrarySizes, sizes => {
        const { batch, rows, inner, columns } = sizes
        const x = numbers(rows * inner * Math.max(1, batch), 3)
        const y = numbers(inner * columns * Math.max(1, batch), 4)
        const { exact, size } = plain(x, y, sizes)
        const ratio = worst(product(engine, x, y, sizes), exact, i => gamma(inner) * (size[i] ?? 0))
        most = Math.max(most, ratio)
        return ratio <= 1
      }),
      { numRuns: 150 },
    )
    t.pass(`${engine.backend}: at most ${most.toFixed(2)} of the bound`)
  }
  t.ok(worst([1.1], [1], () => gamma(4)) > 1, 'negative control')
  t.end()
})

const flat = (rows: number, inner: number, columns: number, transposeX = false, transposeY = false): MatmulSizes => ({
  batch: 1,
  xBatched: false,
  yBatched: false,
  rows,
  inner,
  columns,
  transposeX,
  transposeY,
})

const transposed = (x: Float32Array, rows: number, columns: number): Float32Array =>
  Float32Array.from({ length: x.length }, (_, at) => x[(at % rows) * columns + Math.floor(at / rows)] ?? 0)

test('L1, L4: every element has the same bits whatever rows, batch, columns, storage order or place', t => {
  const [rows, inner, columns] = [37, 531, 45]
  const x = numbers(rows * inner, 5)
  const y = numbers(inner * columns, 6)
  const xT = transposed(x, rows, inner)
  const yT = transposed(y, inner, columns)
  for (const engine of engines) {
    const whole = product(engine, x, y, flat(rows, inner, columns))
    const row = (i: number): HostData => whole.slice(i * columns, (i + 1) * columns)
    for (const [name, found] of [
      ['x transposed', product(engine, xT, y, flat(rows, inner, columns, true))],
      ['y transposed', product(engine, x, yT, flat(rows, inner, columns, false, true))],
      ['both', product(engine, xT, yT, flat(rows, inner, columns, true, true))],
    ] as const)
      t.ok(sameBits(found, whole), `${engine.backend}: ${name}`)
    for (const count of [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13])
      for (const transposeY of [false, true]) {
        const start = 11
        const part = x.slice(start * inner, (start + count) * inner)
        const found = product(engine, part, transposeY ? yT : y, flat(count, inner, columns, false, transposeY))
        const want = whole.slice(start * columns, (start + count) * columns)
        t.ok(sameBits(found, want), `${engine.backend}: ${count} rows alone${transposeY ? ', y transposed' : ''}`)
      }
    const tall = numbers(1024 * 300, 8)
    t.ok(
      sameBits(
        product(engine, transposed(tall, 1024, 300), y, flat(1024, 300, 13, true)),
        product(engine, tall, y, flat(1024, 300, 13)),
      ),
      `${engine.backend}: x transposed, its columns pages apart`,
    )
    const someColumns = Float32Array.from(
      { length: inner * 13 },
      (_, at) => y[Math.floor(at / 13) * columns + 29 + (at % 13)] ?? 0,
    )
    const narrow = product(engine, x, someColumns, flat(rows, inner, 13))
    t.ok(sameBits(narrow.slice(13 * 20, 13 * 21), row(20).slice(29, 42)), `${engine.backend}: some columns alone`)
    const batched = product(engine, Float32Array.of(...x, ...x), y, {
      ...flat(rows, inner, columns),
      batch: 2,
      xBatched: true,
    })
    t.ok(sameBits(batched.slice(rows * columns), whole), `${engine.backend}: second of a batch`)
    const bias = numbers(columns, 7)
    const biased = (count: number): HostData =>
      computed(engine, count * columns, [x.slice(0, count * inner), y, bias], (out, a, b, c) =>
        engine.fused.linear?.(out, a, b, c, flat(count, inner, columns)),
      )
    t.ok(sameBits(biased(rows).slice(0, columns), biased(1)), `${engine.backend}: linear, one row and all`)
    t.ok(
      sameBits(
        biased(1),
        row(0).map((value, j) => Math.fround(value + (bias[j] ?? 0))),
      ),
      'bias is added last',
    )
  }
  const backward = product(
    nth(engines, 0),
    x.slice(0, inner).reverse(),
    transposed(yT.slice().reverse(), columns, inner),
    flat(1, inner, columns),
  )
  t.notOk(
    sameBits(backward.reverse(), product(nth(engines, 0), x.slice(0, inner), y, flat(1, inner, columns))),
    'negative control: descending order differs',
  )
  t.end()
})
