import fc from 'fast-check'
import test from 'tape'
import { attended, joinStates, noKeys, stateOfKeys } from '../../operators/attention/attentionState.ts'
import { paddingMask, slidingWindowMask } from '../../operators/attention/masks.ts'
import {
  type AttentionOptions,
  scaledDotProductAttention,
} from '../../operators/attention/scaledDotProductAttention.ts'
import { groupedQuerySelfAttention, selfAttention } from '../../operators/attention/selfAttention.ts'
import { softmax } from '../../operators/softmax.ts'
import { context } from '../../src/context.ts'
import { initialize } from '../../src/initialize.ts'
import { attentionSizes } from '../../src/kernel/attention.ts'
import { attentionWeights } from '../../src/kernel/attentionWeights.ts'
import { matmul } from '../../src/kernel/matmul.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { within } from '../laws/check.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, type Numbers, numbers, random, rows, same, seeds, sum } from './support.ts'

const none = context({})
const single: AttentionOptions = { heads: 1, causal: false }
type Matrix = readonly Numbers[]

/** One sequence through the operator: rows of query, key and value. */
const attend = (query: Matrix, keys: Matrix, values: Matrix, options: AttentionOptions = single): number[] =>
  scope(() =>
    numbers(
      scaledDotProductAttention(options)(none, [
        tensor(engine, [1, query.length, query[0]?.length ?? 0], query.flat()),
        tensor(engine, [1, keys.length, keys[0]?.length ?? 0], keys.flat()),
        tensor(engine, [1, values.length, values[0]?.length ?? 0], values.flat()),
      ]).value,
    ),
  )

const matrix = (count: number, width: number) =>
  fc.array(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: width, maxLength: width }), {
    minLength: count,
    maxLength: count,
  })
const problem = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }))
  .chain(([n, s]) => fc.tuple(matrix(n, 4), matrix(s, 4), matrix(s, 4)))
const square = fc.integer({ min: 1, max: 5 }).chain(n => fc.tuple(matrix(n, 4), matrix(n, 4), matrix(n, 4)))

test('A1, A2 softmax', t => {
  const value = (x: Numbers) => scope(() => numbers(softmax(none, tensor(engine, [x.length], x)).value))
  const row = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 8 })
  holds(
    t,
    'A1 rows sum to 1 with entries in [0, 1]',
    fc.property(row, x => close([sum(value(x))], [1]) && value(x).every(p => p >= 0 && p <= 1)),
  )
  holds(
    t,
    'A1 shift invariance',
    fc.property(row, fc.double({ min: -50, max: 50, noNaN: true }), (x, c) =>
      close(value(x), value(x.map(a => a + c)), 1e-12),
    ),
  )
  breaks(
    t,
    'A1 softmax is not scale invariant',
    fc.property(row, x => close(value(x), value(x.map(a => 2 * a)))),
  )
  holds(
    t,
    'A1 permutation equivariance',
    fc.property(row, x => close(value([...x].reverse()), value(x).reverse())),
  )
  holds(
    t,
    'A1 order preserving',
    fc.property(row, x => x.every((a, i) => x.every((b, j) => a < b || (value(x)[i] ?? 0) >= (value(x)[j] ?? 1)))),
  )
  t.ok(value([1e4, -1e4, 0]).every(Number.isFinite), 'A1 no NaN for inputs of 1e4')
  t.ok(close(value([2, 4, 4]), [0.06338, 0.46831, 0.46831], 1e-5), 'worked example: softmax([2, 4, 4])')
  holds(
    t,
    'A2 the pullback sums to 0 along the row',
    fc.property(row, seeds, (x, seed) =>
      scope(() => {
        const [, dx] = softmax(none, tensor(engine, [x.length], x)).pullback(random([x.length], seed))
        return Math.abs(sum(numbers(dx))) < 1e-12
      }),
    ),
  )
  holds(
    t,
    'A2 low temperature is one-hot, high temperature uniform',
    fc.property(fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 6 }), x => {
      const best = x.indexOf(Math.max(...x))
      return (
        close(
          value(x.map(a => a * 1e4)),
          x.map((_, i) => (i === best ? 1 : 0)),
        ) &&
        close(
          value(x.map(a => a * 1e-9)),
          x.map(() => 1 / x.length),
          1e-6,
        )
      )
    }),
  )
  t.ok(same(value([-Infinity, -Infinity]), [0, 0]), 'A4 a row of -infinity gives zeros')
  t.end()
})

test('A3, A4 masks', t => {
  const hide = (hidden: number, keys: number) =>
    tensor(
      engine,
      [1, 1, 1, keys],
      Array.from({ length: keys }, (_, k) => (k === hidden ? -Infinity : 0)),
    )
  holds(
    t,
    'A3 a masked key is a deleted key, whatever it holds',
    fc.property(problem, fc.nat(), fc.double({ min: -1e3, max: 1e3, noNaN: true }), ([q, k, v], at, junk) => {
      const hidden = at % k.length
      const without = <T>(m: readonly T[]) => m.filter((_, i) => i !== hidden)
      const masked = attend(q, k, v, { ...single, mask: hide(hidden, k.length) })
      const other = attend(
        q,
        k.map((r, i) => (i === hidden ? r.map(() => junk) : r)),
        v.map((r, i) => (i === hidden ? r.map(() => junk) : r)),
        { ...single, mask: hide(hidden, k.length) },
      )
      return (
        same(masked, other) &&
        (k.length === 1 ? masked.every(x => x === 0) : close(masked, attend(q, without(k), without(v))))
      )
    }),
  )
  breaks(
    t,
    'A3 -1e4 instead of -infinity leaks',
    fc.property(problem, ([q, k, v]) => {
      const leaky = tensor(
        engine,
        [1, 1, 1, k.length],
        k.map((_, i) => (i === 0 ? -1e4 : 0)),
      )
      const shifted = (m: Matrix) => m.map((r, i) => (i === 0 ? r.map(x => x + 1e5) : r))
      return same(
        attend(q, k, v, { ...single, mask: leaky }),
        attend(q, shifted(k), shifted(v), { ...single, mask: leaky }),
      )
    }),
  )
  scope(() => {
    const [q, k, v] = [
      random<readonly ['batch', 'time', 'query']>([1, 2, 4], 1),
      random<readonly ['batch', 'time', 'key']>([1, 3, 4], 2),
      random<readonly ['batch', 'time', 'value']>([1, 3, 4], 3),
    ]
    const mask = tensor(engine, [1, 1, 2, 3], [-Infinity, -Infinity, -Infinity, 0, -Infinity, 0])
    const pulled = scaledDotProductAttention({ ...single, mask })(none, [q, k, v])
    const [, [dq, dk, dv]] = pulled.pullback(random([1, 2, 4], 4))
    t.ok(
      numbers(pulled.value)
        .slice(0, 4)
        .every(x => x === 0),
      'A4 a fully masked row gives 0',
    )
    t.ok(
      numbers(dq)
        .slice(0, 4)
        .every(x => x === 0) && [dq, dk, dv].every(d => numbers(d).every(Number.isFinite)),
      'A4 and gradient 0, no NaN',
    )
    t.ok(
      [dk, dv].every(d =>
        numbers(d)
          .slice(4, 8)
          .every(x => x === 0),
      ),
      'A3 the gradient to a masked key and value is 0',
    )
    const pad = paddingMask(engine, [{ start: 1, end: 3 }], 4)
    t.deepEqual(numbers(pad), [-Infinity, 0, 0, -Infinity], 'a padding mask shows the span')
    t.deepEqual(
      numbers(slidingWindowMask(engine, 2, 3, 2)),
      [0, 0, -Infinity, -Infinity, 0, 0],
      'a sliding window follows the query',
    )
  })
  t.end()
})

test('A5-A8 attention', t => {
  holds(
    t,
    'A5 outputs lie in the hull of the values',
    fc.property(problem, ([q, k, v]) =>
      rows(attend(q, k, v), 4).every(out =>
        out.every((x, c) => {
          const column = v.map(r => r[c] ?? 0)
          return x >= Math.min(...column) - 1e-12 && x <= Math.max(...column) + 1e-12
        }),
      ),
    ),
  )
  holds(
    t,
    'A6 permuting queries permutes outputs; permuting keys with values changes nothing',
    fc.property(problem, ([q, k, v]) => {
      const back = <T>(m: readonly T[]) => [...m].reverse()
      return (
        close(attend(back(q), k, v), back(rows(attend(q, k, v), 4)).flat()) &&
        close(attend(q, back(k), back(v)), attend(q, k, v))
      )
    }),
  )
  holds(
    t,
    'A7 a shift of all keys changes nothing',
    fc.property(
      problem,
      fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 4, maxLength: 4 }),
      ([q, k, v], c) =>
        close(
          attend(
            q,
            k.map(r => r.map((x, i) => x + (c[i] ?? 0))),
            v,
          ),
          attend(q, k, v),
          1e-8,
        ),
    ),
  )
  breaks(
    t,
    'A7 a shift of one key changes much',
    fc.property(problem, ([q, k, v]) =>
      close(
        attend(
          q,
          k.map((r, i) => (i === 0 ? r.map(x => x + 1) : r)),
          v,
        ),
        attend(q, k, v),
      ),
    ),
  )
  const causal = { ...single, causal: true }
  const lastChanged = (m: Matrix) => m.map((r, i) => (i === m.length - 1 ? r.map(x => x + 1) : r))
  const earlier = (out: number[]) => out.slice(0, -4)
  holds(
    t,
    'A8 a later key changes no earlier output',
    fc.property(square, ([q, k, v]) =>
      same(earlier(attend(q, k, v, causal)), earlier(attend(q, lastChanged(k), lastChanged(v), causal))),
    ),
  )
  breaks(
    t,
    'A8 fails without the causal mask',
    fc.property(square, ([q, k, v]) =>
      same(earlier(attend(q, k, v)), earlier(attend(q, lastChanged(k), lastChanged(v)))),
    ),
  )
  t.end()
})

test('A9, A12 heads', t => {
  const problemOf = fc.tuple(matrix(3, 8), matrix(3, 8), matrix(3, 8))
  const columns = (m: Matrix, from: number, count: number) => m.map(r => r.slice(from, from + count))
  const beside = (parts: readonly Numbers[], width: number) =>
    Array.from({ length: 3 }, (_, i) => parts.flatMap(p => rows(p, width)[i] ?? [])).flat()
  holds(
    t,
    'A9 heads are independent: two heads = each alone, side by side',
    fc.property(problemOf, ([q, k, v]) =>
      close(
        attend(q, k, v, { heads: 2, causal: true }),
        beside(
          [0, 4].map(at => attend(columns(q, at, 4), columns(k, at, 4), columns(v, at, 4), { heads: 1, causal: true })),
          4,
        ),
      ),
    ),
  )
  breaks(
    t,
    'A9 one head of 8 is not two of 4',
    fc.property(problemOf, ([q, k, v]) => close(attend(q, k, v, { heads: 2, causal: false }), attend(q, k, v))),
  )
  const grouped = fc.tuple(matrix(3, 8), matrix(3, 4), matrix(3, 4))
  const repeated = (m: Matrix) => m.map(r => [0, 0, 1, 1].flatMap(h => r.slice(2 * h, 2 * h + 2)))
  const tiled = (m: Matrix) => m.map(r => [0, 1, 0, 1].flatMap(h => r.slice(2 * h, 2 * h + 2)))
  holds(
    t,
    'A12 grouped queries = key and value heads repeated',
    fc.property(grouped, ([q, k, v]) =>
      close(
        attend(q, k, v, { heads: 4, keyValueHeads: 2, causal: true }),
        attend(q, repeated(k), repeated(v), { heads: 4, causal: true }),
      ),
    ),
  )
  breaks(
    t,
    'A12 tiled is not repeated',
    fc.property(grouped, ([q, k, v]) =>
      close(
        attend(q, k, v, { heads: 4, keyValueHeads: 2, causal: true }),
        attend(q, tiled(k), tiled(v), { heads: 4, causal: true }),
      ),
    ),
  )
  t.end()
})

test('A10 scores of unit-variance queries and keys have variance 1 after scaling', t => {
  const d = 64
  const count = 400
  scope(() => {
    const product = matmul<readonly [], 'q', 'd', readonly [], 'k'>(
      random<readonly ['q', 'd']>([count, d], 1),
      random<readonly ['d', 'k']>([d, count], 2),
    )
    const scores = numbers(product).map(x => x / Math.sqrt(d))
    const variance = sum(scores.map(x => x * x)) / scores.length
    t.ok(Math.abs(variance - 1) < 0.02, `A10 variance ${variance.toFixed(4)} of ${scores.length} scores`)
    t.ok(variance * d > 50, 'negative control: unscaled, the variance is d')
  })
  t.ok(close([10 / Math.SQRT2, 32 / Math.SQRT2], [7.0711, 22.6274], 1e-4), 'worked example: 10 and 32 scaled by √2')
  t.end()
})

test('A13 attention states are a commutative monoid', t => {
  const value = (q: Matrix, parts: readonly (readonly [Matrix, Matrix])[]) =>
    scope(() => {
      const query = tensor(engine, [q.length, 4], q.flat())
      const states = parts.map(([k, v]) =>
        stateOfKeys(query, tensor(engine, [k.length, 4], k.flat()), tensor(engine, [v.length, 4], v.flat())),
      )
      return numbers(attended(states.reduce(joinStates, noKeys(query, q.length, 4))))
    })
  holds(
    t,
    'A13 a fold over keys, in any cut and order, is attention',
    fc.property(problem, fc.nat(), ([q, k, v], at) => {
      const cut = at % (k.length + 1)
      const parts = [
        [k.slice(0, cut), v.slice(0, cut)],
        [k.slice(cut), v.slice(cut)],
      ].flatMap(([a = [], b = []]) => (a.length > 0 ? [[a, b] as const] : []))
      return close(value(q, parts), attend(q, k, v)) && close(value(q, [...parts].reverse()), attend(q, k, v))
    }),
  )
  breaks(
    t,
    'A13 adding attention outputs is no such fold',
    fc.property(square, ([q, k, v]) =>
      close(
        attend(q, [...k, ...k.map(r => r.map(x => x + 1))], [...v, ...v.map(r => r.map(x => x - 1))]),
        attend(q, k, v),
      ),
    ),
  )
  t.ok(
    value([[1, 2, 3, 4]], []).every(x => x === 0),
    'the unit attends to nothing',
  )
  t.end()
})

test('worked example: self-attention of three inputs', t => {
  const x = [
    [1, 0, 1, 0],
    [0, 2, 0, 2],
    [1, 1, 1, 1],
  ]
  const project = (w: Matrix) => x.map(r => [0, 1, 2].map(j => sum(r.map((a, i) => a * (w[i]?.[j] ?? 0)))))
  const query = project([
    [1, 0, 1],
    [1, 0, 0],
    [0, 0, 1],
    [0, 1, 1],
  ])
  const keys = project([
    [0, 0, 1],
    [1, 1, 0],
    [0, 1, 0],
    [1, 1, 0],
  ])
  const values = project([
    [0, 2, 0],
    [0, 3, 0],
    [1, 0, 3],
    [1, 1, 0],
  ])
  t.deepEqual(
    [query, keys, values],
    [
      [
        [1, 0, 2],
        [2, 2, 2],
        [2, 1, 3],
      ],
      [
        [0, 1, 1],
        [4, 4, 0],
        [2, 3, 1],
      ],
      [
        [1, 2, 3],
        [2, 8, 0],
        [2, 6, 3],
      ],
    ],
    'queries, keys, values',
  )
  t.ok(
    close(attend(query, keys, values, { ...single, scale: 1 }).slice(0, 3), [1.9366, 6.6831, 1.5951], 1e-4),
    'output of input 1',
  )
  t.end()
})

test('worked example: causal weights of three tokens', t => {
  const shape = [1, 3, 2]
  const [q, k] = [
    random<readonly ['batch', 'time', 'query']>(shape, 1),
    random<readonly ['batch', 'time', 'key']>(shape, 2),
  ]
  const w = rows(numbers(attentionWeights(q, k, attentionSizes(q, k, k, { heads: 1, causal: true }))), 3)
  t.ok(w[0]?.[1] === 0 && w[0]?.[2] === 0 && w[1]?.[2] === 0, 'w12 = w13 = w23 = 0')
  t.ok(
    w.every(r => close([sum(r)], [1])),
    'rows sum to 1',
  )
  t.end()
})

test('D3, D4 attention operators; the tap', t => {
  const hidden = random<readonly ['batch', 'time', 'width']>([2, 3, 8], 1)
  for (const [name, op] of Object.entries({
    'self-attention': selfAttention({ width: 8, heads: 2, causal: true, bias: true }),
    'bidirectional self-attention': selfAttention({ width: 8, heads: 4, causal: false, bias: false }),
    'grouped-query self-attention': groupedQuerySelfAttention({
      width: 8,
      heads: 4,
      keyValueHeads: 2,
      headWidth: 2,
      causal: true,
      bias: true,
      theta: 10000,
    }),
  })) {
    const parameters = initialize(op, hidden, engine, key(2))
    const strong = Object.fromEntries(
      Object.entries(parameters).map(([path, p]) => [path, random(p.shape, path.length, 0.5)]),
    )
    within(t, `D4 ${name}`, finiteDifference(op, context(strong), hidden))
    within(t, `D3 ${name}`, pullbackTwice(op, context(strong), hidden))
    const seen: string[] = []
    const tapped = scope(() => numbers(op(context(strong, { tap: path => seen.push(path) }), hidden).value))
    t.ok(
      same(
        tapped,
        scope(() => numbers(op(context(strong), hidden).value)),
      ) && seen.join() === 'weights',
      `${name}: a tap shows the weights and changes no bit`,
    )
  }
  const keyBias = selfAttention({ width: 8, heads: 2, causal: false, bias: true })
  const parameters = initialize(keyBias, hidden, engine, key(3))
  const [gradients] = keyBias(context(parameters), hidden).pullback(random([2, 3, 8], 5))
  const bias = gradients['c_attn.bias']
  t.ok(
    bias !== undefined &&
      numbers(bias)
        .slice(8, 16)
        .every(x => Math.abs(x) < 1e-12),
    'A7 the bias of keys has no gradient',
  )
  t.ok(
    bias !== undefined &&
      numbers(bias)
        .slice(16)
        .some(x => Math.abs(x) > 1e-6),
    'negative control: that of values has',
  )
  t.end()
})
