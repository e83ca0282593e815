import fc from 'fast-check'
import test from 'tape'
import { relu } from '../../operators/activation.ts'
import {
  type AttentionState,
  attended,
  joinStates,
  noKeys,
  stateOfKeys,
} from '../../operators/attention/attentionState.ts'
import { paddingMask, slidingWindowMask } from '../../operators/attention/masks.ts'
import {
  type AttentionOptions,
  scaledDotProductAttention,
} from '../../operators/attention/scaledDotProductAttention.ts'
import { groupedQuerySelfAttention, selfAttention } from '../../operators/attention/selfAttention.ts'
import { crossEntropy } from '../../operators/loss/crossEntropy.ts'
import { softmax } from '../../operators/softmax.ts'
import { context } from '../../src/context.ts'
import { initialize } from '../../src/initialize.ts'
import { attentionSizes } from '../../src/kernel/attention.ts'
import { attentionWeights } from '../../src/kernel/attentionWeights.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
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
  holds(
    t,
    'A1 logsumexp lies between the maximum and the maximum + log n',
    fc.property(row, x =>
      scope(() => {
        const logits = tensor<readonly ['batch', 'time', 'vocabulary']>(engine, [1, 1, x.length], x)
        const found = sum(numbers(crossEntropy(tokens([0]))(none, logits).value)) + (x[0] ?? 0)
        const most = Math.max(...x)
        return found >= most - 1e-12 && found <= most + Math.log(x.length) + 1e-12
      }),
    ),
  )
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
  breaks(
    t,
    'A2 the pullback of relu does not sum to 0',
    fc.property(row, seeds, (x, seed) =>
      scope(() => {
        const [, dx] = relu(none, tensor(engine, [x.length], x)).pullback(random([x.length], seed))
        return Math.abs(sum(numbers(dx))) < 1e-12
      }),
    ),
  )
  t.ok(same(value([-Infinity, -Infinity]), [0, 0]), 'A4 a row of -infinity gives zeros')
  t.ok(
    value([-3e38, -3e38]).every(p => p === 0.5),
    'A4 negative control: the lowest finite number leaks',
  )
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

test('L2 padding', t => {
  const pads = fc.tuple(problem, fc.integer({ min: 1, max: 3 }), fc.double({ min: -50, max: 50, noNaN: true }))
  /** Keys and values with pads on one side, hidden by a mask or not. */
  const padded = (side: 'left' | 'right', hidden: boolean) =>
    fc.property(pads, ([[q, k, v], count, junk]) => {
      const more = Array.from({ length: count }, () => [junk, -junk, junk, 1])
      const beside = (m: Matrix) => (side === 'left' ? [...more, ...m] : [...m, ...more])
      const start = side === 'left' ? count : 0
      const span = hidden ? { start, end: start + k.length } : { start: 0, end: k.length + count }
      const mask = paddingMask(engine, [span], k.length + count)
      return close(attend(q, beside(k), beside(v), { ...single, mask }), attend(q, k, v))
    })
  holds(t, 'L2 pads on the left, hidden by a mask, change nothing', padded('left', true))
  holds(t, 'L2 nor do pads on the right', padded('right', true))
  breaks(t, 'L2 pads that no mask hides', padded('left', false))
  holds(
    t,
    'L2 under rotary positions left pads may count as positions: only differences of positions matter',
    fc.property(seeds, fc.integer({ min: 1, max: 5 }), (seed, count) =>
      scope(() => {
        const options = { width: 8, heads: 2, keyValueHeads: 2, headWidth: 4, causal: true, bias: false, theta: 100 }
        const op = groupedQuerySelfAttention(options)
        const x = random<readonly ['batch', 'time', 'width']>([1, 3, 8], seed)
        const parameters = initialize(op, x, engine, key(seed))
        const after = context(parameters, { offset: count })
        return close(numbers(op(after, x).value), numbers(op(context(parameters), x).value))
      }),
    ),
    { numRuns: 20 },
  )
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
    'A5 attention is linear in the values',
    fc.property(problem, seeds, ([q, k, v], seed) => {
      const other = rows(numbers(random([v.length, 4], seed)), 4)
      const mixed = v.map((r, i) => r.map((x, j) => 2 * x - 3 * (other[i]?.[j] ?? 0)))
      const [one, two] = [attend(q, k, v), attend(q, k, other)]
      return close(
        attend(q, k, mixed),
        one.map((x, i) => 2 * x - 3 * (two[i] ?? 0)),
      )
    }),
  )
  breaks(
    t,
    'A5 it is not linear in the keys',
    fc.property(problem, ([q, k, v]) =>
      close(
        attend(
          q,
          k.map(r => r.map(x => 2 * x)),
          v,
        ),
        attend(q, k, v).map(x => 2 * x),
      ),
    ),
  )
  breaks(
    t,
    'A6 keys permuted without their values',
    fc.property(problem, ([q, k, v]) => close(attend(q, [...k].reverse(), v), attend(q, k, v))),
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
  /** Self-attention of two heads, and what each of them sends through its rows of W^O; `order` places the heads in the weights. */
  const throughHeads = (seed: number, order: readonly [number, number] = [0, 1]) =>
    scope(() => {
      const x = random<readonly ['batch', 'time', 'width']>([1, 3, 8], seed)
      const [w, o] = [rows(numbers(random([8, 24], seed + 1)), 24), rows(numbers(random([8, 8], seed + 2)), 8)]
      const joint = w.map(r =>
        [0, 8, 16].flatMap(at => order.flatMap(head => r.slice(at + 4 * head, at + 4 * head + 4))),
      )
      const out = order.flatMap(head => o.slice(4 * head, 4 * head + 4))
      const weights = {
        'c_attn.weight': tensor(engine, [8, 24], joint.flat()),
        'c_proj.weight': tensor(engine, [8, 8], out.flat()),
      }
      const op = selfAttention({ width: 8, heads: 2, causal: true, bias: false })
      const times = (a: Matrix, b: Matrix): Matrix =>
        a.map(r => (b[0] ?? []).map((_, j) => sum(r.map((y, i) => y * (b[i]?.[j] ?? 0)))))
      const heads = [0, 1].map(head => {
        const [query = [], keys = [], values = []] = [0, 8, 16].map(at =>
          times(rows(numbers(x), 8), columns(w, at + 4 * head, 4)),
        )
        const weighted = rows(attend(query, keys, values, { ...single, causal: true }), 4)
        return times(weighted, o.slice(4 * head, 4 * head + 4)).flat()
      })
      return { whole: numbers(op(context(weights), x).value), heads }
    })
  holds(
    t,
    'A9 multi-head attention is the sum of its heads through their rows of W^O, and heads may change places',
    fc.property(seeds, seed => {
      const { whole, heads } = throughHeads(seed)
      const sums = whole.map((_, i) => sum(heads.map(head => head[i] ?? 0)))
      return close(whole, sums) && close(throughHeads(seed, [1, 0]).whole, whole)
    }),
    { numRuns: 20 },
  )
  breaks(
    t,
    'A9 one of the heads is not all, nor is one of them twice',
    fc.property(seeds, seed => {
      const { whole, heads } = throughHeads(seed)
      return close(whole, heads[0] ?? []) || close(throughHeads(seed, [1, 1]).whole, whole)
    }),
    { numRuns: 5 },
  )
  holds(
    t,
    'A12 as many key-value heads as heads is multi-head attention; one is multi-query attention',
    fc.property(problemOf, ([q, k, v]) => {
      const one = [columns(k, 0, 4), columns(v, 0, 4)] as const
      const twice = (m: Matrix) => m.map(r => [...r, ...r])
      return (
        same(
          attend(q, k, v, { heads: 2, keyValueHeads: 2, causal: true }),
          attend(q, k, v, { heads: 2, causal: true }),
        ) &&
        close(
          attend(q, ...one, { heads: 2, keyValueHeads: 1, causal: true }),
          attend(q, twice(one[0]), twice(one[1]), { heads: 2, causal: true }),
        )
      )
    }),
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
    const query = random<readonly ['batch', 'time', 'query']>([1, count, d], 1)
    const keys = random<readonly ['batch', 'time', 'key']>([1, count, d], 2)
    const { scale } = attentionSizes(query, keys, keys, single)
    const products = rows(numbers(query), d).flatMap(q =>
      rows(numbers(keys), d).map(k => sum(q.map((x, i) => x * (k[i] ?? 0)))),
    )
    const scores = products.map(x => x * scale)
    const variance = sum(scores.map(x => x * x)) / scores.length
    t.ok(Math.abs(variance - 1) < 0.02, `A10 variance ${variance.toFixed(4)} of ${scores.length} scores`)
    t.ok(variance * d > 50, 'negative control: unscaled, the variance is d')
  })
  const scores = scope(() =>
    [10, 32].flatMap(s => {
      const [q, k] = [tensor(engine, [1, 2], [1, 0]), tensor(engine, [1, 2], [s, 0])]
      return numbers(stateOfKeys(q, k, k).highest)
    }),
  )
  t.ok(close(scores, [7.0711, 22.6274], 1e-5), 'worked example: scores 10 and 32 of keys 2 wide, scaled by √2')
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
  /** The numbers of a state that was put together from three sets of keys. */
  const joined = (parts: Matrix, put: (a: AttentionState, b: AttentionState, c: AttentionState) => AttentionState) =>
    scope(() => {
      const query = tensor(engine, [2, 4], [1, -1, 0.5, 2, 0, 1, 1, -2])
      const [a, b, c] = parts.map(part => {
        const keys = tensor(engine, [part.length / 4, 4], part)
        return stateOfKeys(query, keys, keys)
      })
      if (a === undefined || b === undefined || c === undefined) return []
      const { highest, total, weighted } = put(a, b, c)
      return [highest, total, weighted].flatMap(numbers)
    })
  const three = fc.tuple(matrix(2, 4), matrix(1, 4), matrix(3, 4)).map(parts => parts.map(part => part.flat()))
  holds(
    t,
    'A13 joining is associative and commutative, with no keys as its unit',
    fc.property(three, parts => {
      const left = joined(parts, (a, b, c) => joinStates(joinStates(a, b), c))
      return (
        close(
          left,
          joined(parts, (a, b, c) => joinStates(a, joinStates(b, c))),
        ) &&
        close(
          left,
          joined(parts, (a, b, c) => joinStates(c, joinStates(b, a))),
        ) &&
        same(
          joined(parts, a => a),
          joined(parts, a => joinStates(noKeys(a.total, 2, 4), a)),
        )
      )
    }),
  )
  breaks(
    t,
    'A13 the mean of two attentions is not the attention over both',
    fc.property(square, ([q, k, v]) => {
      const more = k.map(r => r.map(x => 2 * x + 1))
      const [first, second] = [attend(q, k, v), attend(q, more, v)]
      const mean = first.map((x, i) => (x + (second[i] ?? 0)) / 2)
      return close(attend(q, [...k, ...more], [...v, ...v]), mean)
    }),
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
  const scores = keys.map(k => sum(k.map((x, i) => x * (query[0]?.[i] ?? 0))))
  t.deepEqual(scores, [2, 4, 4], 'scores of input 1')
  const rounded = [0, 0.5, 0.5]
  t.deepEqual(
    [0, 1, 2].map(j => sum(rounded.map((w, i) => w * (values[i]?.[j] ?? 0)))),
    [2, 7, 1.5],
    'with the rounded weights',
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
