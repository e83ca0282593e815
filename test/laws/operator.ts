/**
 * The laws of differentiable operators, D1-D12, as predicates over any operator, on an engine that answers at once (the reference).
 * A value is a tensor, token ids (not differentiable) or a pair or triple of such; a state is forked before each run, so that consumed
 * caches do not stop a law from running an operator again.
 */
import type { Context, Named } from '../../src/context.ts'
import type { Cotangent } from '../../src/cotangent.ts'
import type { Operator, Pulled } from '../../src/operator.ts'
import { fold, type Key, key, normal } from '../../src/random.ts'
import { trainable } from '../../src/tensor/quantizedMatrix.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, Tensor, tensor } from '../../src/tensor/tensor.ts'

/** How far a law was from holding: the largest error over its tolerance, and where. It holds when `ratio` is at most 1. */
export interface Discrepancy {
  readonly ratio: number
  readonly at: string
}

/** What an operator gives at a point and what its pullback makes of a cotangent, on the host. */
export interface Differential {
  readonly value: Float64Array
  readonly gradients: ReadonlyMap<string, Float64Array>
  readonly cotangent: Float64Array
}

export interface LawOptions {
  /** Draws directions and cotangents. */
  readonly key?: Key
  readonly tolerance?: number
}

/** The step of central differences in f64: truncation about h², rounding about 1e-16 / h. */
const STEP = 1e-5
const FINITE_DIFFERENCE = 1e-6
const ALGEBRAIC = 1e-9
/** Rounding of the two evaluations of a difference quotient: this many units of 2^-53, divided by the step. */
const EVALUATION_ROUNDINGS = 64

/** The tensors of a value, in order. */
export const leaves = (value: unknown): Tensor[] =>
  value instanceof Tensor ? [value] : Array.isArray(value) ? value.flatMap(leaves) : []

const numbers = (x: Tensor): Float64Array => Float64Array.from(readNow(x))
const flat = (value: unknown): Float64Array => Float64Array.from(leaves(value).flatMap(x => Array.from(readNow(x))))
const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, a, i) => sum + a * (y[i] ?? Number.NaN), 0)
const norm = (x: Float64Array): number => Math.sqrt(dot(x, x))

/** A value with each tensor replaced. */
function mapTensors<A>(value: A, f: (x: Tensor) => Tensor): A
function mapTensors(value: unknown, f: (x: Tensor) => Tensor): unknown {
  if (value instanceof Tensor) return f(value)
  return Array.isArray(value) ? value.map(item => mapTensors<unknown>(item, f)) : value
}

/** A cotangent of a value, each tensor's made by `f`; null for token ids. */
export function cotangentOf<B>(value: B, f: (x: Tensor) => Tensor): Cotangent<B>
export function cotangentOf(value: unknown, f: (x: Tensor) => Tensor): unknown {
  if (value instanceof Tensor) return f(value)
  return Array.isArray(value) ? value.map(item => cotangentOf<unknown>(item, f)) : null
}

/** Standard normal numbers of x's shape, different for each name. */
const normalLike = (x: Tensor, k: Key, name: string): Tensor => tensor(x.engine, x.shape, normal(fold(k, name), x.size))

/** A random cotangent of a value. */
export const randomCotangent = <B>(value: B, k: Key): Cotangent<B> => {
  let count = 0
  return cotangentOf(value, x => normalLike(x, k, `cotangent ${count++}`))
}

const forked = (c: Context): Context => ({
  ...c,
  state: Object.fromEntries(Object.entries(c.state).map(([path, x]) => [path, x.share()])),
})

const gradientNumbers = (gradients: Named): Map<string, Float64Array> =>
  new Map(Object.entries(gradients).map(([path, x]) => [path, numbers(x)]))

const pull = <A, B>(pulled: Pulled<A, B>, db: Cotangent<B>): Omit<Differential, 'value'> => {
  const [gradients, cotangent] = pulled.pullback(db)
  return { gradients: gradientNumbers(gradients), cotangent: flat(cotangent) }
}

/** Runs an operator and its pullback on the random cotangent of `k`. */
export const differentiate = <A, B>(op: Operator<A, B>, c: Context, input: A, k: Key = key(1)): Differential =>
  scope(() => {
    const pulled = op(forked(c), input)
    return { value: flat(pulled.value), ...pull(pulled, randomCotangent(pulled.value, k)) }
  })

const worse = (a: Discrepancy, b: Discrepancy): Discrepancy => (b.ratio > a.ratio ? b : a)

/** NaN breaks every law. */
const discrepancy = (at: string, error: number, tolerance: number): Discrepancy => ({
  at: `${at}: error ${error}, tolerance ${tolerance}`,
  ratio: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error === 0 ? 0 : error / tolerance,
})

/** Distance of two vectors against the larger's norm; tolerance 0 asks for the same bits. */
const apart = (at: string, x: Float64Array, y: Float64Array, tolerance: number): Discrepancy => {
  if (x.length !== y.length)
    return { at: `${at}: ${x.length} and ${y.length} numbers`, ratio: Number.POSITIVE_INFINITY }
  if (x.every((a, i) => Object.is(a, y[i]))) return { at, ratio: 0 }
  const error = norm(x.map((a, i) => a - (y[i] ?? Number.NaN)))
  return discrepancy(at, error === 0 && tolerance > 0 ? 0 : error || Number.NaN, tolerance * Math.max(norm(x), norm(y)))
}

/** A path without a gradient has gradient zero. */
const gradientsApart = (
  x: ReadonlyMap<string, Float64Array>,
  y: ReadonlyMap<string, Float64Array>,
  tolerance: number,
): Discrepancy =>
  [...new Set([...x.keys(), ...y.keys()])]
    .map(path => {
      const size = (x.get(path) ?? y.get(path) ?? []).length
      const zero = new Float64Array(size)
      return apart(`gradient of ${path}`, x.get(path) ?? zero, y.get(path) ?? zero, tolerance)
    })
    .reduce(worse, none)

const none: Discrepancy = { ratio: 0, at: 'nowhere' }

const differentialsApart = (x: Differential, y: Differential, tolerance: number): Discrepancy =>
  [
    apart('value', x.value, y.value, tolerance),
    apart('cotangent', x.cotangent, y.cotangent, tolerance),
    gradientsApart(x.gradients, y.gradients, tolerance),
  ].reduce(worse)

/**
 * D4: ⟨u, (f(x + hv) - f(x - hv)) / 2h⟩ against ⟨pull(u), v⟩, one random direction v for each tensor of the input and each parameter.
 * The error is measured against ‖u‖ ‖difference‖ + ‖pull(u)‖ ‖v‖, plus what rounding leaves in the quotient. Stay away from kinks.
 */
export const finiteDifference = <A, B>(
  op: Operator<A, B>,
  c: Context,
  input: A,
  { key: k = key(1), tolerance = FINITE_DIFFERENCE }: LawOptions = {},
): Discrepancy => {
  const exact = scope(() => {
    const pulled = op(forked(c), input)
    const u = randomCotangent(pulled.value, k)
    const [gradients, cotangent] = pulled.pullback(u)
    return {
      u: flat(u),
      value: flat(pulled.value),
      gradients: gradientNumbers(gradients),
      cotangents: leaves(cotangent).map(numbers),
    }
  })
  const parameters = Object.fromEntries(
    Object.entries(c.parameters).map(([path, weight]) => [path, trainable(weight, path)]),
  )
  const valueAt = (parameters: Named, x: A): Float64Array => flat(op(forked({ ...c, parameters }), x).value)
  const compare = (at: string, v: Float64Array, pulled: Float64Array, value: (h: number) => Float64Array) => {
    const ahead = value(STEP)
    const behind = value(-STEP)
    const difference = ahead.map((a, i) => (a - (behind[i] ?? Number.NaN)) / (2 * STEP))
    const size = norm(exact.u) * norm(difference) + norm(pulled) * norm(v)
    const rounding = (EVALUATION_ROUNDINGS * 2 ** -53 * norm(exact.u) * norm(exact.value)) / STEP
    return discrepancy(at, Math.abs(dot(exact.u, difference) - dot(pulled, v)), tolerance * size + rounding)
  }
  /** x + h v on x's engine. */
  const moved = (x: Tensor, v: Float64Array, h: number): Tensor =>
    tensor(
      x.engine,
      x.shape,
      numbers(x).map((a, i) => a + h * (v[i] ?? Number.NaN)),
    )
  const ofInputs = leaves(input).map((x, i) => {
    const at = `input ${i}`
    const v = Float64Array.from(normal(fold(k, at), x.size))
    return compare(at, v, exact.cotangents[i] ?? new Float64Array(0), h =>
      scope(() =>
        valueAt(
          parameters,
          mapTensors(input, leaf => (leaf === x ? moved(leaf, v, h) : leaf)),
        ),
      ),
    )
  })
  const ofParameters = Object.entries(parameters).map(([path, x]) => {
    const v = Float64Array.from(normal(fold(k, path), x.size))
    return compare(`parameter ${path}`, v, exact.gradients.get(path) ?? new Float64Array(x.size), h =>
      scope(() => valueAt({ ...parameters, [path]: moved(x, v, h) }, input)),
    )
  })
  return [...ofInputs, ...ofParameters].reduce(worse, none)
}

/** a u + b v by structure. */
const combination = <C>(a: number, u: C, b: number, v: C): C => {
  const others = leaves(v).map(numbers)
  return mapTensors(u, x => {
    const other = others.shift() ?? new Float64Array(0)
    return tensor(
      x.engine,
      x.shape,
      numbers(x).map((n, i) => a * n + b * (other[i] ?? Number.NaN)),
    )
  })
}

/** D3: one pullback, called for u, v, 2u - 3v, 0 and u again: linear, zero at zero, and the same bits the second time. */
export const pullbackTwice = <A, B>(
  op: Operator<A, B>,
  c: Context,
  input: A,
  { key: k = key(1), tolerance = ALGEBRAIC }: LawOptions = {},
): Discrepancy =>
  scope(() => {
    const pulled = op(forked(c), input)
    const u = randomCotangent(pulled.value, k)
    const v = randomCotangent(pulled.value, fold(k, 'v'))
    const ofU = pull(pulled, u)
    const ofV = pull(pulled, v)
    const combined = pull(pulled, combination(2, u, -3, v))
    const zero = pull(pulled, combination(0, u, 0, v))
    const again = pull(pulled, u)
    const mix = (x: Float64Array, y: Float64Array) => x.map((a, i) => 2 * a - 3 * (y[i] ?? Number.NaN))
    const mixed = new Map([...ofU.gradients].map(([path, x]) => [path, mix(x, ofV.gradients.get(path) ?? x)]))
    const size = (x: Float64Array, y: Float64Array) => tolerance * (2 * norm(x) + 3 * norm(y))
    const off = (at: string, found: Float64Array, expected: Float64Array, allowed: number) =>
      discrepancy(at, norm(found.map((a, i) => a - (expected[i] ?? Number.NaN))), allowed)
    return [
      off(
        'linearity of the cotangent',
        combined.cotangent,
        mix(ofU.cotangent, ofV.cotangent),
        size(ofU.cotangent, ofV.cotangent),
      ),
      ...[...mixed].map(([path, expected]) => {
        const empty = new Float64Array(expected.length)
        const [x, y] = [ofU.gradients.get(path) ?? empty, ofV.gradients.get(path) ?? empty]
        return off(`linearity of ${path}`, combined.gradients.get(path) ?? empty, expected, size(x, y))
      }),
      discrepancy('pullback of zero', norm(zero.cotangent), 0),
      ...[...zero.gradients].map(([path, x]) => discrepancy(`pullback of zero at ${path}`, norm(x), 0)),
      apart('second call, cotangent', again.cotangent, ofU.cotangent, 0),
      gradientsApart(again.gradients, ofU.gradients, 0),
    ].reduce(worse)
  })

/** Two operators agree at a point: values, gradients, cotangents. Tolerance 0 asks for the same bits. */
export const agree = <A, B>(
  f: Operator<A, B>,
  g: Operator<A, B>,
  c: Context,
  input: A,
  { key: k = key(1), tolerance = ALGEBRAIC }: LawOptions = {},
): Discrepancy => differentialsApart(differentiate(f, c, input, k), differentiate(g, c, input, k), tolerance)

/** The predicate's law: an operator, a context, an input. */
export interface OperatorLaw {
  readonly id: string
  readonly name: string
  readonly holds: <A, B>(op: Operator<A, B>, c: Context, input: A, options?: LawOptions) => boolean
}

export const D3: OperatorLaw = {
  id: 'D3',
  name: 'pullback linear, zero at zero, callable twice',
  holds: (op, c, input, options) => pullbackTwice(op, c, input, options).ratio <= 1,
}

export const D4: OperatorLaw = {
  id: 'D4',
  name: 'pullback = finite difference',
  holds: (op, c, input, options) => finiteDifference(op, c, input, options).ratio <= 1,
}

export const D12: OperatorLaw = {
  id: 'D12',
  name: 'deterministic: same inputs, same bits',
  holds: (op, c, input, options) => agree(op, op, c, input, { ...options, tolerance: 0 }).ratio === 0,
}
