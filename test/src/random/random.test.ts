import fc from 'fast-check'
import test from 'tape'
import { InputError, NumericError } from '../../../src/errors.ts'
import {
  bits,
  bitsAt,
  categorical,
  fold,
  integerAt,
  integers,
  type Key,
  key,
  normal,
  normalAt,
  permutation,
  philox,
  split,
  uniform,
  uniform64At,
  uniformAt,
} from '../../../src/random.ts'
import { kolmogorovSmirnov, R1, R2, R3, R4 } from '../../laws/random.ts'
import { holds } from '../../property.ts'

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const keys: fc.Arbitrary<Key> = fc.tuple(word, word)
const counts = fc.integer({ min: 0, max: 41 })
const bound = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 2 ** 31, max: 2 ** 32 }))

test('Philox4x32-10: the known answers published with Random123', t => {
  const answers: readonly (readonly [readonly number[], readonly number[], readonly number[]])[] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ]
  for (const [[c0 = 0, c1 = 0, c2 = 0, c3 = 0], [k0 = 0, k1 = 0], expected] of answers) {
    const out = new Uint32Array(4)
    philox(out, 0, c0, c1, c2, c3, k0, k1)
    t.deepEqual(Array.from(out), expected)
  }
  t.end()
})

test(`R1 ${R1.name}`, t => {
  for (const draw of [bits, uniform, normal, permutation, (k: Key, n: number) => integers(k, n, 10)]) {
    holds(
      t,
      'draws',
      fc.property(keys, counts, (k, n) => R1.holds(draw, k, n)),
    )
  }
  holds(
    t,
    'a key survives JSON',
    fc.property(keys, k => JSON.stringify(JSON.parse(JSON.stringify(k))) === JSON.stringify(k)),
  )
  let calls = 0
  const stateful = (k: Key, n: number) => bits(k, n).map(v => v + calls++)
  t.notOk(R1.holds(stateful, key(1), 8), 'negative control: a generator with hidden state')
  t.end()
})

test(`R2 ${R2.name}`, t => {
  const bySplit = (parent: Key, n: number) => split(parent, n).map(child => () => bits(child, 5))
  const byName = (parent: Key, n: number) => Array.from({ length: n }, (_, i) => () => bits(fold(parent, `h.${i}`), 5))
  const byInteger = (parent: Key, n: number) => Array.from({ length: n }, (_, i) => () => bits(fold(parent, i), 5))
  for (const children of [bySplit, byName, byInteger]) {
    holds(
      t,
      'children',
      fc.property(keys, counts, (k, n) => R2.holds(children, k, n)),
    )
  }
  const shared = (parent: Key, n: number) => {
    let next = 0
    return Array.from({ length: n }, () => () => {
      next += 5
      return bits(parent, next).subarray(next - 5)
    })
  }
  t.notOk(R2.holds(shared, key(1), 3), 'negative control: children that share one cursor')
  const equal = (parent: Key, n: number) => Array.from({ length: n }, () => () => bits(parent, 5))
  t.notOk(R2.holds(equal, key(1), 3), 'negative control: children that are all the parent')
  t.end()
})

test('R2 keys: split is a prefix of a longer split, and no two labels share a key', t => {
  holds(
    t,
    'split is a prefix',
    fc.property(keys, counts, (k, n) => JSON.stringify(split(k, n + 3).slice(0, n)) === JSON.stringify(split(k, n))),
  )
  const k = key(7)
  const units = ['\0', 'a', '.']
  const names = ['']
  for (let i = 0; i < names.length && (names[i] ?? '').length < 7; i++) {
    for (const unit of units) names.push(names[i] + unit)
  }
  const labels = [...names, ...Array.from({ length: 3000 }, (_, i) => i), 2 ** 32, 2 ** 40]
  const derived = [k, ...labels.map(label => fold(k, label)), ...split(k, 3000)]
  t.equal(new Set(derived.map(d => d.join())).size, derived.length, `${derived.length} distinct keys`)
  t.notDeepEqual(fold(fold(k, 'a'), 'b'), fold(k, 'ab'))
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) t.throws(() => key(seed), InputError, `seed ${seed}`)
  t.end()
})

const erf = (x: number) => {
  // Maclaurin series; accurate to 1e-12 for |x| <= 4.
  let term = x
  let sum = x
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
const normalCdf = (x: number) => (Math.abs(x) > 5 ? Number(x > 0) : (1 + erf(x / Math.SQRT2)) / 2)
const uniformCdf = (x: number) => Math.min(1, Math.max(0, x))

test(`R3 ${R3.name}`, t => {
  const uniformMoments = [1 / 2, 1 / 3, 1 / 4, 1 / 5]
  const uniformSpread = uniformMoments.map((m, p) => Math.sqrt(1 / (2 * p + 3) - m * m))
  const isUniform = (x: ArrayLike<number>) => R3.holds(x, uniformMoments, uniformSpread, uniformCdf)
  const isNormal = (x: ArrayLike<number>) =>
    R3.holds(x, [0, 1, 0, 3], [1, Math.sqrt(2), Math.sqrt(15), Math.sqrt(96)], normalCdf)
  const n = 50_000
  const k = key(2026)
  t.ok(isUniform(uniform(k, n)), 'uniform')
  t.ok(isUniform(Float64Array.from({ length: 5000 }, (_, i) => uniform64At(k, i))), 'uniform64At')
  t.ok(isUniform(split(k, 5000).map(child => uniformAt(child, 0))), 'one number from each of many children')
  t.ok(
    isUniform(Array.from({ length: 5000 }, (_, seed) => uniformAt(key(seed), 0))),
    'one number from each of many seeds',
  )
  t.ok(isNormal(normal(k, n)), 'normal')
  t.notOk(isUniform(uniform(k, n).map(u => u ** 1.03)), 'negative control: slightly skewed')
  t.notOk(isNormal(normal(k, n).map(z => 1.03 * z)), 'negative control: slightly wide')
  t.ok(kolmogorovSmirnov(uniform(k, n), normalCdf) > 10, 'negative control: uniform numbers are not normal')
  const pairs = normal(k, n)
  const correlation = pairs.reduce((sum, z, i) => sum + z * (pairs[i + 1] ?? 0), 0) / n
  t.ok(Math.abs(correlation) < 4 / Math.sqrt(n), 'neighbours are uncorrelated')
  t.end()
})

test(`R4 ${R4.name}`, t => {
  holds(
    t,
    'bits',
    fc.property(keys, counts, (k, n) => R4.holds(bits, bitsAt, k, n)),
  )
  holds(
    t,
    'uniform',
    fc.property(keys, counts, (k, n) => R4.holds(uniform, uniformAt, k, n)),
  )
  holds(
    t,
    'normal',
    fc.property(keys, counts, (k, n) => R4.holds(normal, normalAt, k, n)),
  )
  holds(
    t,
    'integers',
    fc.property(keys, counts, bound, (k, n, b) =>
      R4.holds(
        (key_, count) => integers(key_, count, b),
        (key_, index) => integerAt(key_, index, b),
        k,
        n,
      ),
    ),
  )
  const dependsOnLength = (k: Key, n: number) => bits(fold(k, n), n)
  t.notOk(R4.holds(dependsOnLength, bitsAt, key(1), 8), 'negative control: a stream that depends on its length')
  t.notEqual(bitsAt(key(1), 2 ** 34), bitsAt(key(1), 0), 'the counter does not wrap at 2^32 blocks')
  t.end()
})

test('uniform numbers are multiples of 2^-24 in [0, 1), exact in f32', t => {
  holds(
    t,
    'exact in f32',
    fc.property(keys, counts, (k, n) =>
      uniform(k, n).every((u, i) => u >= 0 && u < 1 && u * 2 ** 24 === bitsAt(k, i) >>> 8),
    ),
  )
  t.end()
})

/** Pearson's χ² of counts against equal expectations, in standard deviations above its mean. */
const chiSquareExcess = (observed: ArrayLike<number>, expected: (i: number) => number) => {
  let sum = 0
  for (let i = 0; i < observed.length; i++) sum += ((observed[i] ?? 0) - expected(i)) ** 2 / expected(i)
  const freedom = observed.length - 1
  return (sum - freedom) / Math.sqrt(2 * freedom)
}

test('integers: in range and unbiased also where 2^32 is no multiple of the bound', t => {
  holds(
    t,
    'in range',
    fc.property(keys, counts, bound, (k, n, b) => integers(k, n, b).every(v => v < b)),
  )
  // With bound 3 · 2^30 plain w mod bound would draw the lower third twice as often.
  const b = 3 * 2 ** 30
  const thirds = (numbers: ArrayLike<number>) => {
    const observed = [0, 0, 0]
    for (const v of Array.from(numbers))
      observed[Math.floor(v / 2 ** 30)] = (observed[Math.floor(v / 2 ** 30)] ?? 0) + 1
    return observed
  }
  const n = 30_000
  t.ok(chiSquareExcess(thirds(integers(key(5), n, b)), () => n / 3) < 4)
  t.ok(
    chiSquareExcess(thirds(bits(key(5), n).map(w => w % b)), () => n / 3) > 4,
    'negative control: the biased remainder',
  )
  for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 33]) t.throws(() => integers(key(1), 1, wrong), InputError)
  t.end()
})

test('permutation: each element once, every order equally likely', t => {
  holds(
    t,
    'each element once',
    fc.property(keys, counts, (k, n) =>
      permutation(k, n)
        .sort()
        .every((v, i) => v === i),
    ),
  )
  const orders = new Map<string, number>()
  for (const k of split(key(11), 12_000)) {
    const order = permutation(k, 4).join()
    orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  t.equal(orders.size, 24)
  t.ok(chiSquareExcess([...orders.values()], () => 500) < 4)
  t.end()
})

test('categorical: frequencies follow the weights, zero weights never occur', t => {
  const weights = [0, 1, 0, 3, 6, 0]
  const n = 20_000
  const observed = weights.map(() => 0)
  for (let i = 0; i < n; i++) {
    const drawn = categorical(key(3), weights, i)
    observed[drawn] = (observed[drawn] ?? 0) + 1
  }
  t.deepEqual(
    observed.map(count => count > 0),
    weights.map(w => w > 0),
  )
  const positive = (x: readonly number[]) => x.filter((_, i) => (weights[i] ?? 0) > 0)
  const expected = positive(weights).map(w => (n * w) / 10)
  t.ok(chiSquareExcess(positive(observed), i => expected[i] ?? 0) < 4)
  t.ok(chiSquareExcess(positive(observed), () => n / 3) > 4, 'negative control: equal weights')
  for (const wrong of [[], [0, 0], [1, -1], [Number.NaN], [Infinity]])
    t.throws(() => categorical(key(1), wrong), NumericError)
  t.end()
})
