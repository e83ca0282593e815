/** The sampler's own e^x, held to `Math.exp`. */
import fc from 'fast-check'
import test from 'tape'
import { expNegative } from '../../../operators/sampling/expNegative.ts'
import { breaks, holds } from '../../property.ts'

const UNIT = 2 ** -53
/** 4 units of ours, 2 that the host's may be off by. */
const RELATIVE = 6 * UNIT
/** Subnormal results are rounded to multiples of 2^-1074: ours twice to half of one, the host's within one. */
const ABSOLUTE = 2 * 2 ** -1074
const exponent = fc.oneof(
  fc.double({ min: -760, max: 0, noNaN: true }),
  fc.integer({ min: -(2 ** 30), max: 0 }).map(n => n / 2 ** 24),
)

const near =
  (exp: (x: number) => number) =>
  (x: number): boolean =>
    Math.abs(exp(x) - Math.exp(x)) <= RELATIVE * Math.exp(x) + ABSOLUTE

test('expNegative is e^x within 4 units', t => {
  holds(t, 'x ≤ 0', fc.property(exponent, near(expNegative)), { numRuns: 20000 })
  breaks(
    t,
    '16 units more',
    fc.property(
      exponent,
      near(x => expNegative(x) * (1 + 16 * UNIT)),
    ),
  )
  t.deepEqual([0, -0, -Infinity, Number.NaN].map(expNegative), [1, 1, 0, Number.NaN], 'ends')
  t.end()
})
