import fc from 'fast-check'
import test from 'tape'
import type { Engine, HostData } from '../../../src/engine/engine.ts'
import type { AttentionSizes } from '../../../src/engine/fused.ts'
import { engines, get, nth, numbers, put, sameBits, worst } from './support.ts'

interface Attended {
  readonly out: HostData
  readonly logSumExp: HostData
}

interface Inputs {
  readonly query: Float32Array
  readonly key: Float32Array
  readonly value: Float32Array
}

const inputs = (sizes: AttentionSizes, seed = 1): Inputs => {
  const { batch, queries, keyCapacity, heads, keyValueHeads, headWidth } = sizes
  const keySize = batch * keyCapacity * keyValueHeads * headWidth
  return {
    query: numbers(batch * queries * heads * headWidth, seed).map(x => 3 * x),
    key: numbers(keySize, seed + 1).map(x => 3 * x),
    value: numbers(keySize, seed + 2),
  }
}

const attend = (engine: Engine, { query, key, value }: Inputs, sizes: AttentionSizes): Attended => {
  const storages = [query, key, value].map(values => put(engine, values))
  const out = put(
    engine,
    query.map(() => Number.NaN),
  )
  const logSumExp = engine.allocate(sizes.batch * sizes.heads * sizes.queries)
  engine.fused.attention?.(out, logSumExp, nth(storages, 0), nth(storages, 1), nth(storages, 2), sizes)
  const result = { out: get(out), logSumExp: get(logSumExp) }
  for (const storage of [...storages, out, logSumExp]) engine.free(storage)
  return result
}

interface Gradients {
  readonly dQuery: Float64Array
  readonly dKey: Float64Array
  readonly dValue: Float64Array
}

/** Value, logSumExp and gradients for a cotangent, in f64, straight from the definition. */
const plain = ({ query, key, value }: Inputs, dOut: Float32Array, sizes: AttentionSizes) => {
  const { batch, queries, keys, keyCapacity, heads, keyValueHeads, headWidth, causal, scale } = sizes
  const out = new Float64Array(query.length)
  const logSumExp = new Float64Array(batch * heads * queries).fill(-Infinity)
  const dQuery = new Float64Array(query.length)
  const dKey = new Float64Array(key.length)
  const dValue = new Float64Array(key.length)
  const add = (to: Float64Array, at: number, x: number): void => {
    to[at] = (to[at] ?? 0) + x
  }
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) {
        const seen = causal ? i + 1 + keys - queries : keys
        const shared = Math.floor(h / (heads / keyValueHeads))
        const q = ((b * queries + i) * heads + h) * headWidth
        const k = (j: number): number => ((b * keyCapacity + j) * keyValueHeads + shared) * headWidth
        const dot = (x: ArrayLike<number>, xAt: number, y: ArrayLike<number>, yAt: number): number => {
          let sum = 0
          for (let c = 0; c < headWidth; c++) sum += (x[xAt + c] ?? 0) * (y[yAt + c] ?? 0)
          return sum
        }
        const scores = Array.from({ length: seen }, (_, j) => scale * dot(query, q, key, k(j)))
        const peak = Math.max(...scores)
        const sum = scores.reduce((s, x) => s + Math.exp(x - peak), 0)
        if (seen > 0) logSumExp[(b * heads + h) * queries + i] = peak + Math.log(sum)
        const weights = scores.map(x => Math.exp(x - peak) / sum)
        const pulled = weights.map((_, j) => dot(dOut, q, value, k(j)))
        const centre = weights.reduce((s, w, j) => s + w * (pulled[j] ?? 0), 0)
        weights.forEach((w, j) => {
          const dScore = scale * w * ((pulled[j] ?? 0) - centre)
          for (let c = 0; c < headWidth; c++) {
            add(out, q + c, w * (value[k(j) + c] ?? 0))
            add(dQuery, q + c, dScore * (key[k(j) + c] ?? 0))
            add(dKey, k(j) + c, dScore * (query[q + c] ?? 0))
            add(dValue, k(j) + c, w * (dOut[q + c] ?? 0))
          }
        })
      }
  return { out, logSumExp, dQuery, dKey, dValue }
}

const gradients = (engine: Engine, given: Inputs, dOut: Float32Array, sizes: AttentionSizes): Gradients => {
  const { out, logSumExp } = attend(engine, given, sizes)
  const read = [given.query, given.key, given.value].map(values => put(engine, values))
  const results = [given.query, given.key, given.value].map(values =>
    put(
      engine,
      values.map(() => Number.NaN),
    ),
  )
  const rest = [dOut, out, logSumExp].map(values => put(engine, values))
  engine.fused.attentionPullback?.(
    nth(results, 0),
    nth(results, 1),
    nth(results, 2),
    nth(rest, 0),
    nth(read, 0),
    nth(read, 1),
    nth(read, 2),
    nth(rest, 1),
    nth(rest, 2),
    sizes,
  )
  const [dQuery, dKey, dValue] = [0, 1, 2].map(i => Float64Array.from(get(nth(results, i))))
  for (const storage of [...read, ...results, ...rest]) engine.free(storage)
  if (dQuery === undefined || dKey === undefined || dValue === undefined) throw new RangeError('three gradients')
  return { dQuery, dKey, dValue }
}

const arbitrarySizes = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    queries: fc.integer({ min: 0, max: 37 }),
    extra: fc.integer({ min: 0, max: 30 }),
    free: fc.integer({ min: 0, max: 5 }),
    keyValueHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 3 }),
    headWidth: fc.integer({ min: 1, max: 19 }),
    causal: fc.boolean(),
  })
  .map(({ extra, free, group, ...sizes }): AttentionSizes => {
    const keys = sizes.queries + extra
    const heads = group * sizes.keyValueHeads
    return { ...sizes, keys, keyCapacity: keys + free, heads, scale: 1 / Math.sqrt(sizes.headWidth) }
  })

test('K1, A12: attention and its pullback against f64, grouped heads, any sizes', t => {
  for (const engine of engines) {
    let most = 0
    fc.assert(
      fc.property(arbitrarySizes, sizes => {
        const given = inputs(sizes)
        const dOut = numbers(given.query.length, 9)
        const exact = plain(given, dOut, sizes)
        const found = attend(engine, given, sizes)
        const pulled = gradients(engine, given, dOut, sizes)
        // Scores reach 9 sqrt(width) and have relative error of about `width` roundings; sums run over at most 67 keys.
        const bound = (): number => 2e-5
        const ratio = Math.max(
          worst(found.out, exact.out, bound),
          worst(found.logSumExp, exact.logSumExp, bound),
          worst(pulled.dQuery, exact.dQuery, () => 1e-4),
          worst(pulled.dKey, exact.dKey, () => 1e-4),
          worst(pulled.dValue, exact.dValue, () => 1e-4),
        )
        most = Math.max(most, ratio)
        return ratio <= 1
      }),
      { numRuns: 120 },
    )
    t.pass(`${engine.backend}: at most ${most.toFixed(2)} of the bound`)
  }
  t.ok(worst([1.1], [1], () => 1e-4) > 1, 'negative control')
  t.end()
})

const TOTAL = 300
const causal = (queries: number, keys: number): AttentionSizes => ({
  batch: 1,
  queries,
  keys,
  keyCapacity: TOTAL,
  heads: 4,
  keyValueHeads: 2,
  headWidth: 20,
  causal: true,
  scale: 0.2,
})

test('L4: whole, chunked and one-query attention have the same bits', t => {
  const total = TOTAL
  const given = inputs(causal(total, total))
  const width = 80
  for (const engine of engines) {
    const whole = attend(engine, given, causal(total, total))
    for (const chunk of [1, 3, 4, 50, 128, 131]) {
      const rows: number[] = []
      const sums: number[][] = [[], [], [], []]
      for (let start = 0; start < total; start += chunk) {
        const count = Math.min(chunk, total - start)
        const query = given.query.slice(start * width, (start + count) * width)
        const part = attend(engine, { ...given, query }, causal(count, start + count))
        rows.push(...part.out)
        sums.forEach((list, h) => {
          list.push(...part.logSumExp.slice(h * count, (h + 1) * count))
        })
      }
      t.ok(sameBits(rows, whole.out), `${engine.backend}: values, chunks of ${chunk}`)
      t.ok(sameBits(sums.flat(), whole.logSumExp), `${engine.backend}: logSumExp, chunks of ${chunk}`)
    }
    const other = inputs(causal(total, total), 50)
    const both = attend(
      engine,
      {
        query: Float32Array.of(...other.query, ...given.query),
        key: Float32Array.of(...other.key, ...given.key),
        value: Float32Array.of(...other.value, ...given.value),
      },
      { ...causal(total, total), batch: 2 },
    )
    t.ok(sameBits(both.out.slice(total * width), whole.out), `${engine.backend}: L1 second of a batch`)
    t.notOk(
      sameBits(attend(engine, given, { ...causal(total, total), causal: false }).out, whole.out),
      'negative control',
    )
  }
  t.end()
})

test('A3, A8: later and free keys change no bit; A4: no keys give zeros', t => {
  for (const engine of engines) {
    const sizes = causal(40, 90)
    const given = inputs(sizes)
    const want = attend(engine, given, sizes)
    const from = (90 - 3) * 40
    const changed = {
      ...given,
      key: given.key.map((x, at) => (at < from ? x : 5 - x)),
      value: given.value.map((x, at) => (at < from ? x : 2 * x + 1)),
    }
    const found = attend(engine, changed, sizes)
    t.ok(sameBits(found.out.slice(0, 37 * 80), want.out.slice(0, 37 * 80)), `${engine.backend}: earlier queries`)
    t.notOk(sameBits(found.out, want.out), 'negative control: the last queries do see them')
    const none = { ...causal(5, 0), causal: false }
    t.ok(
      attend(engine, { ...given, query: given.query.slice(0, 400) }, none).out.every(x => x === 0),
      'no keys',
    )
  }
  t.end()
})
