import fc from 'fast-check'
import test from 'tape'
import { layerNorm } from '../../operators/norm/layerNorm.ts'
import { rmsNorm } from '../../operators/norm/rmsNorm.ts'
import { context } from '../../src/context.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { within } from '../laws/check.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, type Numbers, numbers, random, rows, same, seeds, sum } from './support.ts'

const row = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 2, maxLength: 8 })
const shift = fc.double({ min: -10, max: 10, noNaN: true })
const positive = fc.double({ min: 0.1, max: 10, noNaN: true })

/** One row through a norm without learned parameters: weight 1, bias 0. */
const plain = (kind: 'layer' | 'rms', x: Numbers, epsilon: number): number[] =>
  scope(() => {
    const parameters = {
      'n.weight': tensor(
        engine,
        [x.length],
        x.map(() => 1),
      ),
    }
    const input = tensor(engine, [1, x.length], x)
    const op = kind === 'layer' ? layerNorm({ name: 'n', bias: false, epsilon }) : rmsNorm({ name: 'n', epsilon })
    return numbers(op(context(parameters), input).value)
  })

test('N1, N4 layer norm', t => {
  holds(
    t,
    'N1 shift invariance',
    fc.property(row, shift, (x, c) =>
      close(
        plain(
          'layer',
          x.map(a => a + c),
          1e-5,
        ),
        plain('layer', x, 1e-5),
      ),
    ),
  )
  holds(
    t,
    'N1 LN_ε(a x) = LN_{ε/a²}(x)',
    fc.property(row, positive, (x, a) =>
      close(
        plain(
          'layer',
          x.map(b => a * b),
          1e-3,
        ),
        plain('layer', x, 1e-3 / a ** 2),
      ),
    ),
  )
  breaks(
    t,
    'N1 scale invariance is not exact: ε counts',
    fc.property(row, x =>
      close(
        plain(
          'layer',
          x.map(b => 10 * b),
          1e-1,
        ),
        plain('layer', x, 1e-1),
      ),
    ),
  )
  holds(
    t,
    'N1 mean 0 and variance σ² / (σ² + ε)',
    fc.property(row, x => {
      const y = plain('layer', x, 1e-2)
      const mean = sum(x) / x.length
      const variance = sum(x.map(a => (a - mean) ** 2)) / x.length
      return (
        close([sum(y) / y.length], [0]) && close([sum(y.map(a => a * a)) / y.length], [variance / (variance + 1e-2)])
      )
    }),
  )
  holds(
    t,
    'N1 each row is normalised by itself',
    fc.property(seeds, seed =>
      scope(() => {
        const c = context({ 'n.weight': random([5], seed) })
        const norm = layerNorm({ name: 'n', bias: false, epsilon: 1e-5 })
        const x = random<readonly ['row', 'width']>([3, 5], seed + 1)
        const alone = rows(numbers(x), 5).flatMap(row => numbers(norm(c, tensor(engine, [1, 5], row)).value))
        return same(numbers(norm(c, x).value), alone)
      }),
    ),
  )
  /** The pullback through a norm without learned parameters: its sum along the row, and along the output. */
  const alongRow = (op: ReturnType<typeof layerNorm>, x: Numbers, seed: number) =>
    scope(() => {
      const ones = x.map(() => 1)
      const c = context({ 'n.weight': tensor(engine, [x.length], ones) })
      const { value, pullback } = op(c, tensor(engine, [1, x.length], x))
      const dx = numbers(pullback(random([1, x.length], seed))[1])
      const y = numbers(value)
      return { sum: Math.abs(sum(dx)), output: Math.abs(sum(dx.map((d, i) => d * (y[i] ?? 0)))) }
    })
  const distinct = fc.uniqueArray(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 8 })
  holds(
    t,
    'N4 the pullback sums to 0 along the row and is orthogonal to the output where ε is nothing',
    fc.property(distinct, seeds, (x, seed) => {
      const along = alongRow(layerNorm({ name: 'n', bias: false, epsilon: 1e-300 }), x, seed)
      return along.sum < 1e-9 && along.output < 1e-9
    }),
  )
  breaks(
    t,
    'N4 that of RMS norm does not sum to 0',
    fc.property(distinct, seeds, (x, seed) => alongRow(rmsNorm({ name: 'n', epsilon: 1e-300 }), x, seed).sum < 1e-9),
  )
  breaks(
    t,
    'N4 and with an ε it is not orthogonal',
    fc.property(distinct, seeds, (x, seed) => {
      return alongRow(layerNorm({ name: 'n', bias: false, epsilon: 1 }), x, seed).output < 1e-9
    }),
  )
  t.end()
})

test('N2 RMS norm', t => {
  holds(
    t,
    'N2 RMS_ε(a x) = RMS_{ε/a²}(x)',
    fc.property(row, positive, (x, a) =>
      close(
        plain(
          'rms',
          x.map(b => a * b),
          1e-3,
        ),
        plain('rms', x, 1e-3 / a ** 2),
      ),
    ),
  )
  breaks(
    t,
    'N2 it is not shift invariant',
    fc.property(row, shift, (x, c) =>
      close(
        plain(
          'rms',
          x.map(a => a + c),
          1e-5,
        ),
        plain('rms', x, 1e-5),
        1e-6,
      ),
    ),
  )
  t.end()
})

test('D3, D4 norms', t => {
  const x = random<readonly ['batch', 'time', 'width']>([2, 3, 6], 1)
  const parameters = { 'n.weight': random([6], 2), 'n.bias': random([6], 3) }
  const scaleOnly = { 'n.weight': random([6], 2) }
  for (const [name, op, c] of [
    ['layer norm', layerNorm({ name: 'n', bias: true, epsilon: 1e-5 }), context(parameters)],
    ['layer norm without bias', layerNorm({ name: 'n', bias: false, epsilon: 1e-5 }), context(scaleOnly)],
    ['RMS norm', rmsNorm({ name: 'n', epsilon: 1e-5 }), context(scaleOnly)],
  ] as const) {
    within(t, `D4 ${name}`, finiteDifference(op, c, x))
    within(t, `D3 ${name}`, pullbackTwice(op, c, x))
  }
  t.end()
})
