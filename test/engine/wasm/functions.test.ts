import test from 'tape'
import type { UnaryOp } from '../../../src/engine/primitives.ts'
import { computed, engines } from './support.ts'

/** Units in the last place of f32 at |y|. */
const ulp = (y: number): number => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(y)))) - 23)

/** erf by its series below 3, by its continued fraction above; f64. */
const erf = (x: number): number => {
  const z = Math.abs(x)
  if (z > 6) return Math.sign(x)
  if (z < 3) {
    let term = z
    let sum = z
    for (let n = 1; n < 80; n++) {
      term *= (-z * z) / n
      sum += term / (2 * n + 1)
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum
  }
  let fraction = z
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-z * z) / (fraction * Math.sqrt(Math.PI)))
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** Range, exact function, and the error in ulp that the kernels' headers promise. */
const promises: readonly [UnaryOp, number, number, (x: number) => number, number][] = [
  ['exp', -87, 88, Math.exp, 1],
  ['log', 1e-30, 10, Math.log, 1],
  ['tanh', -9, 9, Math.tanh, 2],
  ['sigmoid', -80, 80, sigmoid, 3],
  ['erf', -4, 4, erf, 2],
  ['sqrt', 0, 100, Math.sqrt, 1],
  ['reciprocalSqrt', 1e-3, 100, x => 1 / Math.sqrt(x), 2],
  ['reciprocal', 1e-3, 100, x => 1 / x, 1],
  ['sin', -1e4, 1e4, Math.sin, 1],
]

const worstUlp = (found: ArrayLike<number>, xs: Float32Array, exact: (x: number) => number): number =>
  xs.reduce((most, x, i) => Math.max(most, Math.abs((found[i] ?? Number.NaN) - exact(x)) / ulp(exact(x))), 0)

test('K1: elementary functions are within their stated ulp', t => {
  const size = 100_003
  for (const engine of engines)
    for (const [op, low, high, exact, bound] of promises) {
      const xs = Float32Array.from({ length: size }, (_, i) => low + ((high - low) * i) / size)
      const found = computed(engine, size, [xs], (out, x) => engine.primitives.unary(op, out, x, size))
      const error = worstUlp(found, xs, exact)
      t.ok(error <= bound, `${engine.backend} ${op}: ${error.toFixed(2)} ulp`)
    }
  t.notOk(worstUlp([1.000001], Float32Array.of(0), Math.exp) <= 4, 'negative control: an error of 1e-6')
  t.end()
})

test('elementary functions at infinities, zeros, NaN and subnormals', t => {
  const special = [-Infinity, -1000, -0, 0, 1e-40, 1000, Infinity, Number.NaN]
  const expected: Readonly<Partial<Record<UnaryOp, readonly number[]>>> = {
    exp: [0, 0, 1, 1, 1, Infinity, Infinity, Number.NaN],
    log: [Number.NaN, Number.NaN, -Infinity, -Infinity, Math.log(1e-40), Math.log(1000), Infinity, Number.NaN],
    tanh: [-1, -1, -0, 0, 1e-40, 1, 1, Number.NaN],
    erf: [-1, -1, -0, 0, 1.12838e-40, 1, 1, Number.NaN],
    sigmoid: [0, 0, 0.5, 0.5, 0.5, 1, 1, Number.NaN],
    relu: [0, 0, 0, 0, 1e-40, 1000, Infinity, Number.NaN],
    step: [0, 0, 0, 0, 1, 1, 1, 0],
  }
  const close = (a: number, b: number): boolean =>
    Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-5 * Math.abs(b) + 1e-44
  for (const engine of engines)
    for (const [op, want] of Object.entries(expected)) {
      const size = special.length
      const found = computed(engine, size, [special], (out, x) => {
        for (const known of ['exp', 'log', 'tanh', 'erf', 'sigmoid', 'relu', 'step'] as const)
          if (known === op) engine.primitives.unary(known, out, x, size)
      })
      t.ok(
        Array.from(found).every((y, i) => close(y, want[i] ?? 0)),
        `${engine.backend} ${op}: ${found}`,
      )
    }
  t.end()
})
