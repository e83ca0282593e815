import fc from 'fast-check'
import test from 'tape'
import type { BinaryOp, Broadcast } from '../../../src/engine/primitives.ts'
import { key, uniform } from '../../../src/random.ts'
import { computed, engines, gamma, get, nth, numbers, put, sameBits, worst } from './support.ts'

const engine = nth(engines, 0)
const { primitives } = engine

const operations: Readonly<Record<BinaryOp, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  maximum: Math.max,
  minimum: Math.min,
  greaterEqual: (x, y) => Number(x >= y),
}
const names = ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'greaterEqual'] as const

/** Every index of a shape, row-major, as offsets of strided operands. */
const offsets = (shape: readonly number[], strides: readonly number[]): number[] =>
  shape.reduce<number[]>(
    (found, length, axis) => found.flatMap(base => Array.from({ length }, (_, i) => base + i * (strides[axis] ?? 0))),
    [0],
  )

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1)
const strided = (shape: readonly number[], repeated: readonly boolean[]): number[] =>
  shape.map((_, i) => (repeated[i] ? 0 : product(shape.slice(i + 1).filter((_l, j) => !repeated[i + 1 + j]))))

const arbitraryBroadcast = fc
  .integer({ min: 1, max: 4 })
  .chain(rank =>
    fc.record({
      shape: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: rank, maxLength: rank }),
      x: fc.array(fc.boolean(), { minLength: rank, maxLength: rank }),
      y: fc.array(fc.boolean(), { minLength: rank, maxLength: rank }),
    }),
  )
  .map(({ shape, x, y }): Broadcast => ({ shape, x: strided(shape, x), y: strided(shape, y) }))

test('K1: binary operations over any broadcast are correctly rounded', t => {
  fc.assert(
    fc.property(arbitraryBroadcast, fc.constantFrom(...names), (broadcast, op) => {
      const size = product(broadcast.shape)
      const [x, y] = [numbers(7000, 1), numbers(7000, 2)]
      const found = computed(engine, size, [x, y], (out, a, b) => primitives.binary(op, out, a, b, broadcast))
      const xs = offsets(broadcast.shape, broadcast.x)
      const ys = offsets(broadcast.shape, broadcast.y)
      return xs.every((at, i) => found[i] === Math.fround(operations[op](x[at] ?? 0, y[ys[i] ?? 0] ?? 0)))
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('K1: reduce, any view; empty sums are 0, empty maxima -Infinity', t => {
  const view = fc.record({ outer: fc.nat(5), length: fc.nat(70), inner: fc.oneof(fc.constant(1), fc.nat(40)) })
  fc.assert(
    fc.property(view, ({ outer, length, inner }) => {
      const x = numbers(outer * length * inner, 3)
      const at = (o: number, l: number, i: number): number => x[(o * length + l) * inner + i] ?? 0
      const column = (n: number): number[] => Array.from({ length }, (_, l) => at(Math.floor(n / inner), l, n % inner))
      const size = outer * inner
      const sums = Array.from({ length: size }, (_, n) => column(n).reduce((a, b) => a + b, 0))
      const found = (op: 'sum' | 'max') =>
        computed(engine, size, [x], (out, a) => primitives.reduce(op, out, a, { outer, length, inner }))
      const maxima = Array.from({ length: size }, (_, n) => Math.max(...column(n)))
      return worst(found('sum'), sums, () => gamma(length) * length) <= 1 && sameBits(found('max'), maxima)
    }),
    { numRuns: 150 },
  )
  t.ok(
    Number.isNaN(
      computed(engine, 1, [[1, Number.NaN, 2, 3, 4]], (out, x) =>
        primitives.reduce('max', out, x, { outer: 1, length: 5, inner: 1 }),
      )[0],
    ),
  )
  t.end()
})

test('L1: a row sums to the same bits wherever it stands', t => {
  const row = numbers(77, 8)
  const other = numbers(77, 9)
  const sums = computed(engine, 3, [Float32Array.of(...other, ...row, ...other)], (out, x) =>
    primitives.reduce('sum', out, x, { outer: 3, length: 77, inner: 1 }),
  )
  const alone = computed(engine, 1, [row], (out, x) =>
    primitives.reduce('sum', out, x, { outer: 1, length: 77, inner: 1 }),
  )
  t.equal(sums[1], alone[0])
  t.notEqual(sums[0], alone[0], 'negative control')
  t.end()
})

test('D5: permute is exact for any order, and undone by its inverse', t => {
  const axes = fc.integer({ min: 1, max: 5 }).chain(rank =>
    fc.record({
      shape: fc.array(fc.integer({ min: 0, max: 7 }), { minLength: rank, maxLength: rank }),
      order: fc.shuffledSubarray(
        Array.from({ length: rank }, (_, i) => i),
        { minLength: rank },
      ),
    }),
  )
  fc.assert(
    fc.property(axes, ({ shape, order }) => {
      const x = numbers(product(shape), 4)
      const strides = shape.map((_, i) => product(shape.slice(i + 1)))
      const turned = order.map(axis => shape[axis] ?? 1)
      const expected = offsets(
        turned,
        order.map(axis => strides[axis] ?? 0),
      ).map(at => x[at] ?? 0)
      const found = computed(engine, x.length, [x], (out, a) => primitives.permute(out, a, shape, order))
      const back = computed(engine, x.length, [found], (out, a) =>
        primitives.permute(
          out,
          a,
          turned,
          order.map((_, i) => order.indexOf(i)),
        ),
      )
      return sameBits(found, expected) && sameBits(back, x)
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('slice, pad and assign move exactly their part', t => {
  const sizes = fc.record({ outer: fc.nat(4), total: fc.nat(9), inner: fc.nat(9), start: fc.nat(9), count: fc.nat(9) })
  fc.assert(
    fc.property(sizes, ({ outer, total, inner, start, count }) => {
      fc.pre(start + count <= total)
      const x = numbers(outer * total * inner, 5)
      const part = { outer, length: count, inner }
      const inside = x.map((_, at) => {
        const l = Math.floor(at / inner) % total
        return Number(l >= start && l < start + count)
      })
      const cut = computed(engine, outer * count * inner, [x], (out, a) =>
        primitives.slice(out, a, { outer, length: total, inner }, start, count),
      )
      const padded = computed(engine, x.length, [cut], (out, a) => primitives.pad(out, a, part, start, total))
      const assigned = computed(engine, x.length, [cut, x.map(v => -v)], (out, a, b) => {
        primitives.copy(out, b, x.length)
        primitives.assign(out, a, part, start, total)
      })
      return (
        sameBits(
          cut,
          x.filter((_, at) => inside[at] === 1),
        ) &&
        sameBits(
          padded,
          x.map((v, at) => (inside[at] === 1 ? v : 0)),
        ) &&
        sameBits(
          assigned,
          x.map((v, at) => (inside[at] === 1 ? v : -v)),
        )
      )
    }),
    { numRuns: 200 },
  )
  t.end()
})

test('gather, scatterAdd, fill, accumulate', t => {
  const [rows, width] = [11, 7]
  const ids = Int32Array.from({ length: 30 }, (_, i) => (i * i) % rows)
  const table = numbers(rows * width, 6)
  const picked = computed(engine, ids.length * width, [table], (out, a) => primitives.gather(out, a, ids, rows, width))
  t.ok(
    sameBits(
      picked,
      Array.from(ids).flatMap(id => [...table.slice(id * width, (id + 1) * width)]),
    ),
    'gather',
  )
  const summed = new Float32Array(rows * width)
  picked.forEach((value, at) => {
    const to = nth(Array.from(ids), Math.floor(at / width)) * width + (at % width)
    summed[to] = (summed[to] ?? 0) + value
  })
  t.ok(
    sameBits(
      computed(engine, rows * width, [picked], (out, a) => primitives.scatterAdd(out, a, ids, rows, width)),
      summed,
    ),
    'scatterAdd',
  )
  const out = put(engine, numbers(10))
  primitives.fill(out, 2, 9)
  primitives.accumulate(out, put(engine, numbers(10, 3)), 0.5, 7)
  const [before, x] = [numbers(10), numbers(10, 3)]
  t.ok(
    sameBits(
      get(out),
      before.map((v, i) => (i < 7 ? 2 + 0.5 * (x[i] ?? 0) : i < 9 ? 2 : v)),
    ),
    'no element past the size is touched',
  )
  t.end()
})

test('R4: uniform numbers and dropout masks are the bits of the host', t => {
  for (const size of [0, 1, 5, 16, 1001]) {
    const found = computed(engine, size, [], out => primitives.uniform(out, key(2 ** 40 + 7), size))
    t.ok(sameBits(found, uniform(key(2 ** 40 + 7), size)), `${size} numbers`)
    for (const rate of [0, 0.1, 0.75]) {
      const x = numbers(size, 2)
      const dropped = computed(engine, size, [x], (out, a) => engine.fused.dropout?.(out, a, key(7), rate, size))
      const kept = uniform(key(7), size).map(u => Number(u >= rate))
      t.ok(
        dropped.every((y, i) => Math.abs(y - ((kept[i] ?? 0) * (x[i] ?? 0)) / (1 - rate)) <= 2 ** -22 * Math.abs(y)),
        `rate ${rate}`,
      )
    }
  }
  t.notOk(sameBits(uniform(key(1), 9), uniform(key(2), 9)), 'negative control: another key')
  t.end()
})
