/**
 * Law K1 for every primitive of the gpu engine: |gpu(x) - f64(x)| <= γ_k |A|·|B|, k the length of the sum plus a few for a
 * division or a transcendental function. The f64 side is the reference engine's plain loops; magnitudes are the same loops
 * over absolute values.
 */
import fc from 'fast-check'
import test from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import { gpuEngine } from '../../../src/engine/gpu/engine.ts'
import { binaryOps, type UnaryOp, unaryOps } from '../../../src/engine/primitives.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { key } from '../../../src/random.ts'
import type { Storage } from '../../../src/tensor/storage.ts'
import { firstBeyond, gamma, holdsAsync, modes, numbers, storageOf } from './support.ts'

type Run = (engine: Engine, out: Storage, inputs: readonly Storage[]) => void

const reference = referenceEngine()

/** One kernel on an engine, and its output. `initial`: what `out` holds before, for kernels in place. */
const outputOf = async (
  engine: Engine,
  inputs: readonly ArrayLike<number>[],
  size: number,
  run: Run,
  initial?: ArrayLike<number>,
): Promise<HostData> => {
  const out = initial === undefined ? engine.allocate(size) : storageOf(engine, initial)
  const storages = inputs.map(values => storageOf(engine, values))
  try {
    run(engine, out, storages)
    return await engine.read(out, size)
  } finally {
    for (const storage of [out, ...storages]) engine.free(storage)
  }
}

const absolute = (values: ArrayLike<number>): number[] => Array.from(values, Math.abs)

const length = fc.integer({ min: 0, max: 9 })
const positive = fc.integer({ min: 1, max: 7 })

/** Gradients of the inverse functions are steep at 0: the argument stays away from it. */
const unaryCases: Readonly<Record<UnaryOp, { range: { min: number; max: number }; k: number }>> = {
  negate: { range: { min: -9, max: 9 }, k: 0 },
  exp: { range: { min: -9, max: 9 }, k: 24 },
  log: { range: { min: 2, max: 99 }, k: 8 },
  sqrt: { range: { min: 0, max: 99 }, k: 4 },
  reciprocalSqrt: { range: { min: 0.01, max: 99 }, k: 8 },
  reciprocal: { range: { min: 0.01, max: 99 }, k: 4 },
  tanh: { range: { min: -99, max: 99 }, k: 16 },
  sigmoid: { range: { min: -80, max: 80 }, k: 128 },
  erf: { range: { min: -9, max: 9 }, k: 16 },
  relu: { range: { min: -9, max: 9 }, k: 0 },
  square: { range: { min: -9, max: 9 }, k: 1 },
  abs: { range: { min: -9, max: 9 }, k: 0 },
  sin: { range: { min: -3, max: 3 }, k: 16 },
  cos: { range: { min: -3, max: 3 }, k: 16 },
  step: { range: { min: -1, max: 1 }, k: 0 },
  round: { range: { min: -9, max: 9 }, k: 0 },
}

for (const mode of modes) {
  const engine = gpuEngine({ mode })

  test(`K1 primitives of the gpu engine, mode ${mode}`, async t => {
    t.equal(engine.backend, mode, `backend says ${mode}`)
    t.equal(engine.fallbackReason, '', 'nothing fell back')

    for (const op of unaryOps) {
      const { range, k } = unaryCases[op]
      await holdsAsync(
        t,
        `K1 ${op}`,
        fc.tuple(length).chain(([n]) => numbers(n, range)),
        async x => {
          const run: Run = (e, out, [a]) => e.primitives.unary(op, out, a, x.length)
          const expected = await outputOf(reference, [x], x.length, run)
          const found = await outputOf(engine, [x], x.length, run)
          // sin, cos and erf near a zero of theirs are held to the unit scale, as their definitions on a GPU are.
          const scale = (i: number): number => (['sin', 'cos', 'erf', 'tanh'].includes(op) ? 1 : Math.abs(expected[i]))
          return firstBeyond(found, expected, i => gamma(k) * scale(i) + 2 ** -126)
        },
      )
    }

    const broadcasts = fc.record({
      a: positive,
      b: positive,
      c: positive,
      d: positive,
      kind: fc.integer({ min: 0, max: 5 }),
    })
    for (const op of binaryOps)
      await holdsAsync(
        t,
        `K1 ${op} with broadcasting`,
        broadcasts.chain(({ a, b, c, d, kind }) => {
          const forms = [
            { shape: [a], x: [1], y: [1] },
            { shape: [a], x: [1], y: [0] },
            { shape: [a, b], x: [b, 1], y: [0, 1] },
            { shape: [a, b], x: [1, 0], y: [b, 1] },
            { shape: [a, b, c], x: [b * c, c, 1], y: [c, 0, 1] },
            { shape: [a, b, c, d], x: [b * c * d, c * d, d, 1], y: [b * d, d, 0, 1] },
          ]
          const form = forms[kind]
          const size = form.shape.reduce((n, axis) => n * axis, 1)
          return fc.record({
            broadcast: fc.constant(form),
            size: fc.constant(size),
            x: numbers(size),
            y: numbers(size, { min: 0.5, max: 4 }),
          })
        }),
        async ({ broadcast, size, x, y }) => {
          const run: Run = (e, out, [p, q]) => e.primitives.binary(op, out, p, q, broadcast)
          const expected = await outputOf(reference, [x, y], size, run)
          const found = await outputOf(engine, [x, y], size, run)
          return firstBeyond(found, expected, i => gamma(4) * Math.abs(expected[i]) + 2 ** -126)
        },
      )

    await holdsAsync(t, 'K1 fill', fc.tuple(length, numbers(1)), async ([n, [value]]) => {
      const run: Run = (e, out) => e.primitives.fill(out, value, n)
      return firstBeyond(await outputOf(engine, [], n, run), await outputOf(reference, [], n, run), () => 0)
    })

    await holdsAsync(
      t,
      'K1 copy',
      length.chain(n => numbers(n)),
      async x => {
        const run: Run = (e, out, [a]) => e.primitives.copy(out, a, x.length)
        return firstBeyond(await outputOf(engine, [x], x.length, run), Float64Array.from(x), () => 0)
      },
    )

    const view = fc.record({ outer: positive, length: positive, inner: positive })
    for (const op of ['sum', 'max'] as const)
      await holdsAsync(
        t,
        `K1 reduce ${op}`,
        view.chain(v => fc.tuple(fc.constant(v), numbers(v.outer * v.length * v.inner))),
        async ([v, x]) => {
          const size = v.outer * v.inner
          const run: Run = (e, out, [a]) => e.primitives.reduce(op, out, a, v)
          const magnitude = await outputOf(reference, [absolute(x)], size, run)
          const bound = (i: number): number => (op === 'sum' ? gamma(v.length) * magnitude[i] : 0)
          return firstBeyond(await outputOf(engine, [x], size, run), await outputOf(reference, [x], size, run), bound)
        },
      )
    for (const op of ['sum', 'max'] as const)
      for (const v of [
        { outer: 2, length: 5000, inner: 1 },
        { outer: 1, length: 4100, inner: 3 },
      ]) {
        const x = Float32Array.from({ length: v.outer * v.length * v.inner }, (_, i) => Math.sin(i))
        const run: Run = (e, out, [a]) => e.primitives.reduce(op, out, a, v)
        const size = v.outer * v.inner
        const found = await outputOf(engine, [x], size, run)
        const bound = gamma(v.length) * v.length
        t.equal(
          firstBeyond(found, await outputOf(reference, [x], size, run), () => (op === 'sum' ? bound : 0)),
          null,
          `K1 reduce ${op} of ${v.length} in two stages, inner ${v.inner}`,
        )
      }

    const matmuls = fc
      .record({
        batch: fc.integer({ min: 1, max: 3 }),
        xBatched: fc.boolean(),
        yBatched: fc.boolean(),
        rows: positive,
        inner: fc.integer({ min: 0, max: 9 }),
        columns: positive,
        transposeX: fc.boolean(),
        transposeY: fc.boolean(),
      })
      .chain(s =>
        fc.tuple(
          fc.constant(s),
          numbers((s.xBatched ? s.batch : 1) * s.rows * s.inner),
          numbers((s.yBatched ? s.batch : 1) * s.inner * s.columns),
        ),
      )
    await holdsAsync(t, 'K1 matmul', matmuls, async ([sizes, x, y]) => {
      const size = sizes.batch * sizes.rows * sizes.columns
      const run: Run = (e, out, [a, b]) => e.primitives.matmul(out, a, b, sizes)
      const magnitude = await outputOf(reference, [absolute(x), absolute(y)], size, run)
      const found = await outputOf(engine, [x, y], size, run)
      return firstBeyond(found, await outputOf(reference, [x, y], size, run), i => gamma(sizes.inner) * magnitude[i])
    })
    await holdsAsync(t, 'negative control: K1 matmul without its last term', matmuls, async ([sizes, x, y]) => {
      if (sizes.inner < 2 || absolute(x).some(v => v < 0.1) || absolute(y).some(v => v < 0.1)) return null
      const size = sizes.batch * sizes.rows * sizes.columns
      const run: Run = (e, out, [a, b]) => e.primitives.matmul(out, a, b, sizes)
      const ones = (values: readonly number[]): number[] => values.map(() => 1)
      const found = (await outputOf(engine, [ones(x), ones(y)], size, run)).map(v => v - 1)
      const expected = await outputOf(reference, [ones(x), ones(y)], size, run)
      return firstBeyond(found, expected, () => gamma(sizes.inner) * sizes.inner) === null ? 'not noticed' : null
    })

    const rows = fc.record({ rows: positive, width: positive, count: fc.integer({ min: 0, max: 12 }) }).chain(s =>
      fc.record({
        sizes: fc.constant(s),
        ids: fc
          .array(fc.integer({ min: 0, max: s.rows - 1 }), { minLength: s.count, maxLength: s.count })
          .map(ids => Int32Array.from(ids)),
        table: numbers(s.rows * s.width),
        x: numbers(s.count * s.width),
      }),
    )
    await holdsAsync(t, 'K1 gather', rows, async ({ sizes, ids, table }) => {
      const run: Run = (e, out, [a]) => e.primitives.gather(out, a, ids, sizes.rows, sizes.width)
      const size = sizes.count * sizes.width
      return firstBeyond(
        await outputOf(engine, [table], size, run),
        await outputOf(reference, [table], size, run),
        () => 0,
      )
    })
    await holdsAsync(t, 'K1 scatterAdd', rows, async ({ sizes, ids, x }) => {
      const run: Run = (e, out, [a]) => e.primitives.scatterAdd(out, a, ids, sizes.rows, sizes.width)
      const size = sizes.rows * sizes.width
      const magnitude = await outputOf(reference, [absolute(x)], size, run)
      const found = await outputOf(engine, [x], size, run)
      return firstBeyond(found, await outputOf(reference, [x], size, run), i => gamma(sizes.count) * magnitude[i])
    })

    const permutations = fc
      .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })
      .chain(shape =>
        fc.tuple(
          fc.constant(shape),
          fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
          numbers(shape.reduce((n, axis) => n * axis, 1)),
        ),
      )
    await holdsAsync(
      t,
      'K1 permute',
      permutations,
      async ([shape, order, x]) => {
        const run: Run = (e, out, [a]) => e.primitives.permute(out, a, shape, order)
        return firstBeyond(
          await outputOf(engine, [x], x.length, run),
          await outputOf(reference, [x], x.length, run),
          () => 0,
        )
      },
      40,
    )

    const windows = fc
      .record({ outer: positive, length: positive, inner: positive, before: length, after: length })
      .chain(w => {
        const total = w.before + w.length + w.after
        return fc.record({
          view: fc.constant({ outer: w.outer, length: w.length, inner: w.inner }),
          start: fc.constant(w.before),
          total: fc.constant(total),
          part: numbers(w.outer * w.length * w.inner),
          whole: numbers(w.outer * total * w.inner),
        })
      })
    await holdsAsync(t, 'K1 slice', windows, async ({ view: v, start, total, whole }) => {
      const run: Run = (e, out, [a]) => e.primitives.slice(out, a, { ...v, length: total }, start, v.length)
      const size = v.outer * v.length * v.inner
      return firstBeyond(
        await outputOf(engine, [whole], size, run),
        await outputOf(reference, [whole], size, run),
        () => 0,
      )
    })
    await holdsAsync(t, 'K1 pad', windows, async ({ view: v, start, total, part }) => {
      const run: Run = (e, out, [a]) => e.primitives.pad(out, a, v, start, total)
      const size = v.outer * total * v.inner
      return firstBeyond(
        await outputOf(engine, [part], size, run),
        await outputOf(reference, [part], size, run),
        () => 0,
      )
    })
    await holdsAsync(t, 'K1 assign', windows, async ({ view: v, start, total, part, whole }) => {
      const run: Run = (e, out, [a]) => e.primitives.assign(out, a, v, start, total)
      const found = await outputOf(engine, [part], whole.length, run, whole)
      return firstBeyond(found, await outputOf(reference, [part], whole.length, run, whole), () => 0)
    })

    await holdsAsync(
      t,
      'K1 accumulate',
      length.chain(n => fc.tuple(numbers(n), numbers(n), numbers(1))),
      async ([sum, x, [scale]]) => {
        const run: Run = (e, out, [a]) => e.primitives.accumulate(out, a, scale, x.length)
        const expected = await outputOf(reference, [x], x.length, run, sum)
        const found = await outputOf(engine, [x], x.length, run, sum)
        return firstBeyond(found, expected, i => gamma(2) * (Math.abs(sum[i]) + Math.abs(scale * x[i])))
      },
    )

    await holdsAsync(t, 'R4 uniform has the same bits', fc.tuple(fc.nat(), length), async ([seed, n]) => {
      const run: Run = (e, out) => e.primitives.uniform(out, key(seed), n)
      return firstBeyond(await outputOf(engine, [], n, run), await outputOf(reference, [], n, run), () => 0)
    })

    t.equal(engine.counter.allocated, engine.counter.freed, 'S15 allocated = freed')
    t.equal(engine.counter.liveBytes, 0, 'no bytes live')
    await engine.destroy()
  })
}
