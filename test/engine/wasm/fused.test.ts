import test from 'tape'
import type { Engine } from '../../../src/engine/engine.ts'
import type { Activation, Fused } from '../../../src/engine/fused.ts'
import { computed, engines, get, nth, numbers, put, sameBits, worst } from './support.ts'

/** Central difference in f64. */
const slope = (f: (x: number) => number, x: number): number => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5

const erf = (x: number): number => {
  let [term, sum] = [x, x]
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

const activations: Readonly<Record<Activation, (x: number) => number>> = {
  relu: x => Math.max(x, 0),
  gelu: x => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  geluTanh: x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: x => x * sigmoid(x),
  tanh: Math.tanh,
  sigmoid,
}

const overrides = (engine: Engine): Fused => {
  const f = engine.fused
  const names = [
    'linear',
    'softmax',
    'activation',
    'layerNorm',
    'rmsNorm',
    'rotary',
    'attention',
    'crossEntropy',
    'dropout',
    'dot',
    'adamW',
  ] as const
  const isWhole = (fused: Partial<Fused>): fused is Fused => names.every(name => fused[name] !== undefined)
  if (!isWhole(f)) throw new TypeError('an override is missing')
  return f
}

test('K1, N8: activations and their slopes', t => {
  const xs = numbers(1003, 1).map(x => 5 * x)
  for (const engine of engines) {
    const { activation, activationWithSlope } = overrides(engine)
    for (const kind of ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid'] as const) {
      const f = activations[kind]
      const found = computed(engine, xs.length, [xs], (out, x) => activation(kind, out, x, xs.length))
      t.ok(worst(found, xs.map(f), () => 1e-6) <= 1, `${engine.backend} ${kind}`)
      const slopes = computed(engine, xs.length, [xs, xs], (out, x, value) =>
        activationWithSlope(kind, value, out, x, xs.length),
      )
      t.ok(
        worst(
          slopes,
          Array.from(xs, x => slope(f, x)),
          () => 2e-6,
        ) <= 1,
        `${engine.backend} ${kind} slope`,
      )
      const beside = computed(engine, xs.length, [xs, xs], (out, x, other) =>
        activationWithSlope(kind, out, other, x, xs.length),
      )
      t.ok(sameBits(beside, found), `${engine.backend} ${kind} beside its slope has the same bits`)
    }
  }
  t.end()
})

const [rows, columns] = [9, 37]
const size = { rows, columns }
const rowsOf = <T extends ArrayLike<number>>(x: T): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => x[i * columns + j] ?? 0))
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)
const dot = (x: readonly number[], y: readonly number[]): number => sum(x.map((v, i) => v * (y[i] ?? 0)))

test('K1, A1, A2, A4: softmax and its pullback', t => {
  const x = numbers(rows * columns, 3).map(v => 20 * v)
  const dy = numbers(rows * columns, 4)
  const exact = rowsOf(x).map(row => {
    const powers = row.map(v => Math.exp(v - Math.max(...row)))
    return powers.map(p => p / sum(powers))
  })
  for (const engine of engines) {
    const { softmax, softmaxPullback } = overrides(engine)
    const y = computed(engine, x.length, [x], (out, a) => softmax(out, a, size))
    t.ok(worst(y, exact.flat(), i => 3e-6 * (exact.flat()[i] ?? 0)) <= 1, engine.backend)
    const dx = computed(engine, x.length, [dy, y], (out, d, p) => softmaxPullback(out, d, p, size))
    const want = rowsOf(y).flatMap((p, i) =>
      p.map((v, j) => v * (nth(nth(rowsOf(dy), i), j) - dot(p, nth(rowsOf(dy), i)))),
    )
    t.ok(worst(dx, want, () => 1e-6) <= 1, `${engine.backend} pullback`)
    const alone = computed(engine, columns, [x.slice(4 * columns, 5 * columns)], (out, a) =>
      softmax(out, a, { rows: 1, columns }),
    )
    t.ok(sameBits(alone, y.slice(4 * columns, 5 * columns)), 'L1: a row alone has the same bits')
    const edges = computed(engine, 6, [[-Infinity, -Infinity, -Infinity, 1e4, -Infinity, -1e4]], (out, a) =>
      softmax(out, a, { rows: 2, columns: 3 }),
    )
    t.deepEqual(Array.from(edges), [0, 0, 0, 1, 0, 0], 'a row of -Infinity gives zeros')
  }
  t.end()
})

test('K1, N1, N2, N4: layerNorm, rmsNorm and their pullbacks', t => {
  const x = numbers(rows * columns, 5).map(v => v + 0.3)
  const dy = numbers(rows * columns, 6)
  const weight = numbers(columns, 7)
  const bias = numbers(columns, 8)
  const epsilon = 1e-5
  for (const engine of engines)
    for (const centres of [true, false]) {
      const f = overrides(engine)
      const normal = rowsOf(x).map(row => {
        const mean = centres ? sum(row) / columns : 0
        const deviation = 1 / Math.sqrt(sum(row.map(v => (v - mean) ** 2)) / columns + epsilon)
        return { deviation, n: row.map(v => (v - mean) * deviation) }
      })
      const [mean, deviation, dx, dWeight, dBias] = [rows, rows, rows * columns, columns, columns].map(n =>
        engine.allocate(n),
      )
      const [xs, dys, ws, bs] = [x, dy, weight, bias].map(values => put(engine, values))
      if (!mean || !deviation || !dx || !dWeight || !dBias || !xs || !dys || !ws || !bs)
        throw new RangeError('storages')
      const out = engine.allocate(rows * columns)
      if (centres) f.layerNorm(out, mean, deviation, xs, ws, bs, epsilon, size)
      else f.rmsNorm(out, deviation, xs, ws, epsilon, size)
      const value = normal.flatMap(({ n }) => n.map((v, j) => v * (weight[j] ?? 0) + (centres ? (bias[j] ?? 0) : 0)))
      const name = `${engine.backend} ${centres ? 'layerNorm' : 'rmsNorm'}`
      t.ok(worst(get(out), value, () => 2e-6) <= 1, name)
      t.ok(
        worst(
          get(deviation),
          normal.map(r => r.deviation),
          () => 2e-6,
        ) <= 1,
        `${name}: saved deviation`,
      )
      if (centres) f.layerNormPullback(dx, dWeight, dBias, dys, xs, ws, mean, deviation, size)
      else f.rmsNormPullback(dx, dWeight, dys, xs, ws, deviation, size)
      const g = rowsOf(dy).map(row => row.map((v, j) => v * (weight[j] ?? 0)))
      const want = g.flatMap((row, i) => {
        const { n, deviation: d } = nth(normal, i)
        const centre = centres ? sum(row) / columns : 0
        return row.map((v, j) => d * (v - centre - (nth(n, j) * dot(row, n)) / columns))
      })
      t.ok(worst(get(dx), want, () => 5e-6) <= 1, `${name}: dx`)
      const columnsOf = (list: readonly number[][]): number[] =>
        Array.from({ length: columns }, (_, j) => sum(list.map(row => nth(row, j))))
      t.ok(
        worst(
          get(dWeight),
          columnsOf(rowsOf(dy).map((row, i) => row.map((v, j) => v * nth(nth(normal, i).n, j)))),
          () => 5e-6,
        ) <= 1,
        `${name}: dWeight`,
      )
      if (centres) t.ok(worst(get(dBias), columnsOf(rowsOf(dy)), () => 2e-6) <= 1, `${name}: dBias`)
    }
  t.end()
})

test('K1, L8: crossEntropy with ignored rows and label smoothing', t => {
  const logits = numbers(rows * columns, 9).map(v => 8 * v)
  const targets = Int32Array.from({ length: rows }, (_, i) => (i === 3 ? -100 : (i * 5) % columns))
  const dLosses = numbers(rows, 10)
  for (const engine of engines)
    for (const labelSmoothing of [0, 0.1]) {
      const f = overrides(engine)
      const sizes = { ...size, targets, ignoreIndex: -100, labelSmoothing }
      const exact = rowsOf(logits).map((row, i) => {
        const lse = Math.log(sum(row.map(Math.exp)))
        const p = row.map((_, j) => labelSmoothing / columns + (j === targets[i] ? 1 - labelSmoothing : 0))
        const counts = targets[i] === -100 ? 0 : 1
        const pull = row.map((v, j) => counts * (dLosses[i] ?? 0) * (Math.exp(v - lse) - nth(p, j)))
        return { lse, loss: counts * (lse - dot(p, row)), pull }
      })
      const [losses, lse, dLogits] = [rows, rows, rows * columns].map(n => engine.allocate(n))
      if (!losses || !lse || !dLogits) throw new RangeError('storages')
      const given = put(engine, logits)
      f.crossEntropy(losses, lse, given, sizes)
      f.crossEntropyPullback(dLogits, put(engine, dLosses), given, lse, sizes)
      const name = `${engine.backend} smoothing ${labelSmoothing}`
      t.ok(
        worst(
          get(losses),
          exact.map(r => r.loss),
          () => 4e-6,
        ) <= 1,
        `${name}: losses`,
      )
      t.ok(
        worst(
          get(lse),
          exact.map(r => r.lse),
          () => 4e-6,
        ) <= 1,
        `${name}: logSumExp`,
      )
      t.ok(
        worst(
          get(dLogits),
          exact.flatMap(r => r.pull),
          () => 2e-6,
        ) <= 1,
        `${name}: pullback`,
      )
    }
  t.end()
})

test('K1, N6: rotary turns halves and back', t => {
  const sizes = { batch: 2, time: 5, heads: 3, half: 6 }
  const x = numbers(2 * 5 * 3 * 12, 11)
  const angles = Array.from({ length: 30 }, (_, at) => Math.floor(at / 6) / 10 ** ((at % 6) / 6))
  for (const engine of engines) {
    const { rotary } = overrides(engine)
    const tables = [angles.map(Math.cos), angles.map(Math.sin)]
    const turned = computed(engine, x.length, [x, ...tables], (out, a, c, s) => rotary(out, a, c, s, false, sizes))
    const want = Array.from(x, (v, at) => {
      const i = at % 12
      const angle = nth(angles, (Math.floor(at / 36) % 5) * 6 + (i % 6))
      return i < 6
        ? v * Math.cos(angle) - (x[at + 6] ?? 0) * Math.sin(angle)
        : v * Math.cos(angle) + (x[at - 6] ?? 0) * Math.sin(angle)
    })
    t.ok(worst(turned, want, () => 3e-7) <= 1, engine.backend)
    const back = computed(engine, x.length, [turned, ...tables], (out, a, c, s) => rotary(out, a, c, s, true, sizes))
    t.ok(worst(back, x, () => 5e-7) <= 1, `${engine.backend}: inverse`)
  }
  t.end()
})

test('K1: dot and adamW', t => {
  const n = 1003
  const [g, p, m, v] = [numbers(n, 12), numbers(n, 13), numbers(n, 14), numbers(n, 15).map(Math.abs)]
  const numbersOf = {
    rate: 1e-2,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    correction1: 0.19,
    correction2: 0.0199,
  }
  for (const engine of engines) {
    const f = overrides(engine)
    const product = computed(engine, 1, [g, p], (out, a, b) => f.dot(out, a, b, n))
    t.ok(Math.abs((product[0] ?? 0) - dot([...g], [...p])) <= 1e-5, `${engine.backend} dot`)
    const [first, second, gradient, parameter] = [m, v, g, p].map(values => put(engine, values))
    if (!first || !second || !gradient || !parameter) throw new RangeError('storages')
    const update = engine.allocate(n)
    const moments = { firstMoment: first, secondMoment: second }
    f.adamW([{ update, ...moments, gradient, parameter, weightDecay: 0.1, size: n }], numbersOf)
    const m1 = Array.from(m, (x, i) => 0.9 * x + 0.1 * (g[i] ?? 0))
    const v1 = Array.from(v, (x, i) => 0.99 * x + 0.01 * (g[i] ?? 0) ** 2)
    const step = m1.map((x, i) => -1e-2 * (x / 0.19 / (Math.sqrt(nth(v1, i) / 0.0199) + 1e-8) + 0.1 * (p[i] ?? 0)))
    t.ok(worst(get(first), m1, () => 2e-7) <= 1, `${engine.backend} first moment`)
    t.ok(worst(get(second), v1, () => 2e-7) <= 1, `${engine.backend} second moment`)
    t.ok(worst(get(update), step, i => 1e-6 * Math.max(1, Math.abs(nth(step, i)))) <= 1, `${engine.backend} update`)
  }
  t.end()
})
