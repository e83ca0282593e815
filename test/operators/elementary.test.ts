import fc from 'fast-check'
import test from 'tape'
import { activation, gelu, geluTanh, relu, sigmoid, silu, tanh } from '../../operators/activation.ts'
import { dropout } from '../../operators/dropout.ts'
import { embedding, unembedding } from '../../operators/embedding.ts'
import { feedForward, swiGlu } from '../../operators/feedForward.ts'
import { lastPosition } from '../../operators/lastPosition.ts'
import { linear } from '../../operators/linear.ts'
import { multiply } from '../../operators/multiply.ts'
import { softmax } from '../../operators/softmax.ts'
import { stopGradient } from '../../operators/stopGradient.ts'
import { tap } from '../../operators/tap.ts'
import { type Context, context } from '../../src/context.ts'
import type { Activation } from '../../src/engine/fused.ts'
import { initialize } from '../../src/initialize.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import type { Operator, Pulled } from '../../src/operator.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { within } from '../laws/check.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, type Numbers, numbers, random, rows, same, seeds, sum } from './support.ts'

const none = context({})
type Elementwise = (
  c: Context,
  x: Tensor<readonly ['row']>,
) => Pulled<Tensor<readonly ['row']>, Tensor<readonly ['row']>>
const through = (op: Elementwise, x: Numbers, c = none): number[] =>
  scope(() => numbers(op(c, tensor(engine, [x.length], x)).value))
const row = fc.array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: 1, maxLength: 8 })
const flip = (x: Numbers) => x.map(a => -a)

test('N8 activations', t => {
  holds(
    t,
    'N8 relu is idempotent and positively homogeneous',
    fc.property(
      row,
      fc.double({ min: 0.1, max: 9, noNaN: true }),
      (x, a) =>
        same(through(relu, through(relu, x)), through(relu, x)) &&
        close(
          through(
            relu,
            x.map(b => a * b),
          ),
          through(relu, x).map(b => a * b),
        ),
    ),
  )
  for (const [name, op] of [
    ['gelu', gelu],
    ['geluTanh', geluTanh],
    ['silu', silu],
  ] as const) {
    holds(
      t,
      `N8 ${name}(x) - ${name}(-x) = x`,
      fc.property(row, x =>
        close(
          through(op, x).map((a, i) => a - (through(op, flip(x))[i] ?? 0)),
          x,
        ),
      ),
    )
    breaks(
      t,
      `N8 ${name} is not idempotent`,
      fc.property(row, x => close(through(op, through(op, x)), through(op, x))),
    )
  }
  holds(
    t,
    'N8 σ(x) + σ(-x) = 1; tanh is odd',
    fc.property(
      row,
      x =>
        through(sigmoid, x).every((a, i) => close([a + (through(sigmoid, flip(x))[i] ?? 0)], [1])) &&
        close(through(tanh, flip(x)), flip(through(tanh, x))),
    ),
  )
  breaks(
    t,
    'N8 silu is not odd',
    fc.property(row, x => close(through(silu, flip(x)), flip(through(silu, x)))),
  )
  const kinds: readonly Activation[] = ['relu', 'gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid']
  for (const kind of kinds) {
    // No element is within a step of relu's kink.
    const x = tensor<readonly ['row']>(engine, [6], [-3, -1.2, -0.4, 0.3, 1.1, 2.7])
    within(
      t,
      `D4 ${kind}`,
      finiteDifference<Tensor<readonly ['row']>, Tensor<readonly ['row']>>(activation(kind), none, x),
    )
    within(
      t,
      `D3 ${kind}`,
      pullbackTwice<Tensor<readonly ['row']>, Tensor<readonly ['row']>>(activation(kind), none, x),
    )
  }
  t.end()
})

test('N9 dropout', t => {
  const training = (seed: number, rate: number, x: Numbers) =>
    through(dropout('d', rate), x, context({}, { train: true, key: key(seed) }))
  holds(
    t,
    'N9 rate 0 and evaluation are the identity',
    fc.property(row, seeds, (x, seed) => same(training(seed, 0, x), x) && same(through(dropout('d', 0.5), x), x)),
  )
  holds(
    t,
    'N9 the same key gives the same mask',
    fc.property(row, seeds, (x, seed) => same(training(seed, 0.5, x), training(seed, 0.5, x))),
  )
  const ones = new Array<number>(20000).fill(1)
  breaks(
    t,
    'N9 another key gives another',
    fc.property(seeds, seed =>
      same(training(seed, 0.5, ones.slice(0, 99)), training(seed + 1, 0.5, ones.slice(0, 99))),
    ),
    { numRuns: 5 },
  )
  const mean = sum(training(7, 0.3, ones)) / ones.length
  // The mean of n independent values of variance p / (1 - p), five deviations wide.
  t.ok(Math.abs(mean - 1) < 5 * Math.sqrt(0.3 / 0.7 / ones.length), `N9 the mean stays: ${mean.toFixed(4)}`)
  holds(
    t,
    'N9 the pullback meets the same mask',
    fc.property(seeds, seed =>
      scope(() => {
        const pulled = dropout('d', 0.4)(
          context({}, { train: true, key: key(seed) }),
          tensor<readonly ['row']>(engine, [50], ones.slice(0, 50)),
        )
        return same(numbers(pulled.value), numbers(pulled.pullback(tensor(engine, [50], ones.slice(0, 50)))[1]))
      }),
    ),
  )
  t.end()
})

test('T10 embedding', t => {
  const table = random([5, 3], 1)
  const c = context({ 'e.weight': table })
  const op = embedding({ name: 'e', vocabulary: 5, width: 3 })
  const ids = fc.array(fc.nat(4), { minLength: 1, maxLength: 6 })
  const byRow = rows(numbers(table), 3)
  holds(
    t,
    'T10 lookup = one-hot times E',
    fc.property(ids, sequence => {
      const oneHot = sequence.map(id => Array.from({ length: 5 }, (_, k) => (k === id ? 1 : 0)))
      const product = oneHot.flatMap(hot => [0, 1, 2].map(j => sum(hot.map((h, k) => h * (byRow[k]?.[j] ?? 0)))))
      return close(
        scope(() => numbers(op(c, tokens(sequence)).value)),
        product,
      )
    }),
  )
  const cotangent = (sequence: Numbers) =>
    tensor<readonly ['batch', 'time', 'width']>(
      engine,
      [1, sequence.length, 3],
      sequence.flatMap(() => [1, 2, 3]),
    )
  const scattered = (sequence: Numbers): number[] =>
    scope(() => {
      const [gradients] = op(c, tokens(sequence)).pullback(cotangent(sequence))
      return gradients['e.weight'] === undefined ? [] : numbers(gradients['e.weight'])
    })
  /** The last of equal ids wins. */
  const set = (sequence: Numbers): number[] =>
    [0, 1, 2, 3, 4].flatMap(id => (sequence.includes(id) ? [1, 2, 3] : [0, 0, 0]))
  const addsUp = (gradientOf: (sequence: Numbers) => number[]) =>
    fc.property(ids, sequence => {
      const count = (id: number) => sequence.filter(other => other === id).length
      return close(
        gradientOf(sequence),
        [0, 1, 2, 3, 4].flatMap(id => [1, 2, 3].map(x => x * count(id))),
      )
    })
  holds(t, 'T10 the gradient adds up where an id repeats, and is zero elsewhere', addsUp(scattered))
  breaks(t, 'T10 a gradient that sets instead of adding', addsUp(set))
  scope(() => {
    const [words, word] = [6000, 4321]
    const large = random([words, 2], 9)
    const oneHot = tensor<readonly ['one', 'word']>(
      engine,
      [1, words],
      Array.from({ length: words }, (_, k) => (k === word ? 1 : 0)),
    )
    const wide = embedding({ name: 'e', vocabulary: words, width: 2 })
    const found = numbers(wide(context({ 'e.weight': large }), tokens([word])).value)
    t.ok(same(found, numbers(matmulTransposed(oneHot, large, {}))), 'worked example: a word of 6000, one-hot times E')
  })
  t.throws(() => op(c, tokens([5])), /token id 5 is not in the vocabulary of 5/, 'an unknown id is an error')
  within(t, 'D4 embedding', finiteDifference(op, c, tokens([1, 3, 3, 0], [2, 2])))
  within(
    t,
    'D4 unembedding',
    finiteDifference(
      unembedding({ name: 'e', vocabulary: 5 }),
      c,
      random<readonly ['batch', 'time', 'width']>([2, 2, 3], 3),
    ),
  )
  t.end()
})

test('D3, D4 linear, feed-forward and the small ones; D11 stop gradient; taps', t => {
  const x = random<readonly ['batch', 'time', 'width']>([2, 3, 4], 1)
  type Hidden = typeof x
  const check = <B>(name: string, op: Operator<Hidden, B>): void => {
    const parameters = Object.fromEntries(
      Object.entries(initialize(op, x, engine, key(1))).map(([path, p]) => [path, random(p.shape, path.length, 0.7)]),
    )
    within(t, `D4 ${name}`, finiteDifference(op, context(parameters), x))
    within(t, `D3 ${name}`, pullbackTwice(op, context(parameters), x))
  }
  for (const layout of ['conv1d', 'torch'] as const)
    for (const bias of [true, false])
      check<Tensor<readonly ['batch', 'time', 'out']>>(
        `linear, ${layout}${bias ? ', bias' : ''}`,
        linear({ name: 'l', from: 'width', to: 'out', width: 5, bias, layout }),
      )
  check('feed-forward', feedForward({ width: 4, hidden: 6, activation: 'gelu', bias: true }))
  check('SwiGLU', swiGlu({ width: 4, hidden: 6 }))
  check('last position', lastPosition)
  check<Hidden>('softmax', softmax)
  within(
    t,
    'D4 multiply',
    finiteDifference<readonly [Hidden, Hidden], Hidden>(multiply, none, [x, random([2, 3, 4], 2)]),
  )
  const stopped = stopGradient(none, x)
  t.ok(
    same(numbers(stopped.value), numbers(x)) && numbers(stopped.pullback(x)[1]).every(d => d === 0),
    'D11 stop gradient: value x, pullback 0',
  )
  const seen: string[] = []
  const tapped = tap('here')(context({}, { path: 'h.0.', tap: name => seen.push(name) }), x)
  tapped.pullback(x)
  t.deepEqual(seen, ['h.0.here', 'h.0.here.gradient'], 'a tap shows value and cotangent under its path')
  t.ok(tapped.value === x, 'and is the identity')
  t.end()
})
