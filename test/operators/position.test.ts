import fc from 'fast-check'
import test from 'tape'
import { learnedPositions } from '../../operators/position/learnedPositions.ts'
import { rotaryPositions } from '../../operators/position/rotaryPositions.ts'
import { sinusoidalPositions, sinusoidalTable } from '../../operators/position/sinusoidalPositions.ts'
import { context } from '../../src/context.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'
import { within } from '../laws/check.ts'
import { finiteDifference, pullbackTwice } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, type Numbers, numbers, random, rows, sum } from './support.ts'

const dot = (x: Numbers, y: Numbers): number => sum(x.map((a, i) => a * (y[i] ?? 0)))
const position = fc.nat(2000)
const vector = (width: number) =>
  fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: width, maxLength: width })

test('N5 sinusoidal positions', t => {
  const width = 6
  const row = (p: number): number[] => Array.from(sinusoidalTable(p, 1, width))
  t.deepEqual(row(0), [0, 1, 0, 1, 0, 1], 'worked example: PE(0)')
  t.ok(close(row(1), [0.841471, 0.540302, 0.046399, 0.998923, 0.002154, 0.999998], 1e-6), 'worked example: PE(1)')
  holds(
    t,
    'N5 the squared norm is d / 2',
    fc.property(position, p => close([dot(row(p), row(p))], [width / 2])),
  )
  const turned = (x: Numbers, k: number): number[] =>
    Array.from({ length: width }, (_, at) => {
      const angle = k / 10000 ** ((at - (at % 2)) / width)
      const [s = 0, c = 0] = x.slice(at - (at % 2))
      return at % 2 === 0 ? s * Math.cos(angle) + c * Math.sin(angle) : c * Math.cos(angle) - s * Math.sin(angle)
    })
  holds(
    t,
    'N5 PE(p + k) = M_k PE(p) with M_k a rotation',
    fc.property(position, position, (p, k) => close(row(p + k), turned(row(p), k))),
  )
  breaks(
    t,
    'N5 M_k depends on k',
    fc.property(position, position, (p, k) => close(row(p + k), turned(row(p), k + 1))),
  )
  t.end()
})

test('N6 rotary positions', t => {
  const options = { heads: 1, headWidth: 8, theta: 10000 }
  const at = (x: Numbers, offset: number): number[] =>
    scope(() => numbers(rotaryPositions(options)(context({}, { offset }), tensor(engine, [1, 1, 8], x)).value))
  const far = fc.nat(4096)
  holds(
    t,
    'N6 ⟨R_m q, R_n k⟩ depends on m - n alone',
    fc.property(
      vector(8),
      vector(8),
      far,
      far,
      far,
      (q, k, m, n, shift) => Math.abs(dot(at(q, m), at(k, n)) - dot(at(q, m + shift), at(k, n + shift))) < 1e-10,
    ),
  )
  breaks(
    t,
    'N6 it does depend on m - n',
    fc.property(
      vector(8),
      vector(8),
      far,
      (q, k, m) => Math.abs(dot(at(q, m), at(k, m)) - dot(at(q, m + 1), at(k, m))) < 1e-10,
    ),
  )
  holds(
    t,
    'N6 R_a R_b = R_{a+b}, R_0 = I, norms kept',
    fc.property(
      vector(8),
      far,
      far,
      (x, a, b) =>
        close(at(at(x, a), b), at(x, a + b)) && close(at(x, 0), x) && close([dot(at(x, a), at(x, a))], [dot(x, x)]),
    ),
  )
  const wasm = wasmEngine()
  const f32 = (x: Numbers, offset: number): number[] =>
    scope(() =>
      Array.from(readNow(rotaryPositions(options)(context({}, { offset }), tensor(wasm, [1, 1, 8], x)).value)),
    )
  // Angles come from f64, so f32 rounds each entry of a product of 8 a few times, at any position.
  holds(
    t,
    'N6 in f32 as well, up to position 4096',
    fc.property(vector(8), vector(8), far, far, (q, k, m, n) => {
      const bound = 24 * 2 ** -24 * sum(q.map(Math.abs)) * sum(k.map(Math.abs)) + 1e-30
      return Math.abs(dot(f32(q, m), f32(k, n)) - dot(at(q, m), at(k, n))) <= bound
    }),
  )
  t.end()
})

test('N7 learned positions; D3, D4 of all', t => {
  const x = random<readonly ['batch', 'time', 'width']>([2, 3, 4], 1)
  const learned = learnedPositions({ name: 'wpe', positions: 5, width: 4 })
  const table = random([5, 4], 2)
  const value = (offset: number) => scope(() => numbers(learned(context({ 'wpe.weight': table }, { offset }), x).value))
  const expected = (offset: number) =>
    rows(numbers(x), 4).flatMap((row, i) => row.map((a, c) => a + (numbers(table)[(offset + (i % 3)) * 4 + c] ?? 0)))
  t.ok(
    close(value(0), expected(0)) && close(value(2), expected(2)),
    'row p of the table is added at position p, after the offset',
  )
  t.throws(() => value(3), /past the model's context of 5/, 'a position past the table says so')
  for (const [name, op, c] of [
    ['learned', learned, context({ 'wpe.weight': table })],
    ['learned, with an offset', learned, context({ 'wpe.weight': table }, { offset: 2 })],
    ['sinusoidal', sinusoidalPositions, context({})],
    ['rotary', rotaryPositions({ heads: 2, headWidth: 2, theta: 100 }), context({}, { offset: 7 })],
  ] as const) {
    within(t, `D4 ${name} positions`, finiteDifference<typeof x, typeof x>(op, c, x))
    within(t, `D3 ${name} positions`, pullbackTwice<typeof x, typeof x>(op, c, x))
  }
  t.end()
})
