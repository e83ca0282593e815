/**
 * The rounding engine: the reference with a running bound beside every number on what f32 arithmetic can have made of it. A kernel's bound
 * (law K1) is what comes out when its derivation runs here, so each bound is derived and none is tuned. u = 2^-24, γ_k = k u / (1 - k u);
 * x̂ is any f32 result within e of the exact x. Each primitive states its own bound below. Source: Higham, Accuracy and Stability of
 * Numerical Algorithms, 2nd ed., chapter 3 (running error analysis, 3.3).
 */
import { countAllocation, counter, countFree } from '../../src/engine/counter.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { BinaryOp, Broadcast, Primitives, UnaryOp } from '../../src/engine/primitives.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { Storage } from '../../src/tensor/storage.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

export const UNIT = 2 ** -24
/** Results below the smallest normal f32 may be flushed to zero. */
const SMALLEST = 2 ** -126

export const gamma = (k: number): number => (k * UNIT) / (1 - k * UNIT)

class RoundingStorage extends Storage {
  readonly value: Float64Array
  readonly error: Float64Array

  constructor(engine: Engine, size: number) {
    super(engine, size)
    this.value = new Float64Array(size).fill(Number.NaN)
    this.error = new Float64Array(size).fill(Number.NaN)
  }
}

const of = (storage: Storage): RoundingStorage => {
  if (storage instanceof RoundingStorage) return storage
  throw new TypeError(`a storage of the ${storage.engine.name} engine reached the rounding engine`)
}

/** The bound on each element of a tensor of the rounding engine. */
export const errorOf = (x: Tensor): Float64Array => of(x.storage).error.slice(0, x.size)

/** Units in the last place that a transcendental function may be off: 4, that is 8 u. */
const TRANSCENDENTAL = 8

/**
 * The error of evaluating f in f32 at an exact argument, by its value y. Functions between -1 and 1 are held to 4 ulps of 1: what a sum with
 * numbers of their range sees. exp multiplies the rounding of its reduced argument by |x|; log near 1 sees one rounding of its argument.
 */
const evaluation: Readonly<Record<UnaryOp, (y: number, x: number) => number>> = {
  negate: () => 0,
  abs: () => 0,
  relu: () => 0,
  step: () => 0,
  round: () => 0,
  square: y => UNIT * y,
  sqrt: y => UNIT * y,
  reciprocal: y => UNIT * Math.abs(y),
  reciprocalSqrt: y => gamma(3) * y,
  exp: (y, x) => gamma(TRANSCENDENTAL + 2 * Math.abs(x)) * y,
  log: y => gamma(TRANSCENDENTAL) * Math.abs(y) + 2 * UNIT,
  tanh: () => gamma(TRANSCENDENTAL),
  sigmoid: () => gamma(TRANSCENDENTAL),
  erf: () => gamma(TRANSCENDENTAL),
  sin: (_, x) => gamma(TRANSCENDENTAL) + UNIT * Math.abs(x),
  cos: (_, x) => gamma(TRANSCENDENTAL) + UNIT * Math.abs(x),
}

/** How far f moves when its argument moves by at most e: at an end of the interval, since each f is monotone or bounded by a slope. */
const propagation = (op: UnaryOp, f: (x: number) => number, x: number, e: number): number => {
  if (e === 0 || !Number.isFinite(x)) return 0
  if (op === 'sin' || op === 'cos' || op === 'abs') return e
  if (op === 'square') return 2 * Math.abs(x) * e + e * e
  if (op === 'log' || op === 'sqrt' || op === 'reciprocalSqrt')
    return e >= x ? (op === 'sqrt' ? Math.sqrt(e) : Number.POSITIVE_INFINITY) : Math.abs(f(x) - f(x - e))
  if (op === 'reciprocal' && e >= Math.abs(x)) return Number.POSITIVE_INFINITY
  return Math.max(Math.abs(f(x + e) - f(x)), Math.abs(f(x) - f(x - e)))
}

/** The bound of z = op(x, y), operands within e and d. */
const binaryError = (op: BinaryOp, z: number, x: number, e: number, y: number, d: number): number => {
  if (!Number.isFinite(z)) return 0
  switch (op) {
    // (x̂ + ŷ)(1 + δ)
    case 'add':
    case 'subtract':
      return e + d + UNIT * (Math.abs(z) + e + d)
    // x̂ ŷ (1 + δ)
    case 'multiply': {
      const moved = Math.abs(x) * d + (Math.abs(y) + d) * e
      return moved + UNIT * (Math.abs(z) + moved) + SMALLEST
    }
    // x̂ / ŷ (1 + δ)
    case 'divide': {
      if (d >= Math.abs(y)) return Number.POSITIVE_INFINITY
      const moved = (e + Math.abs(z) * d) / (Math.abs(y) - d)
      return moved + UNIT * (Math.abs(z) + moved) + SMALLEST
    }
    // The winner's, where it is certain.
    case 'maximum':
    case 'minimum':
      return Math.abs(x - y) > e + d ? (z === x ? e : d) : Math.max(e, d)
    // Certain only where the operands stay apart.
    case 'greaterEqual':
      return e + d > 0 && Math.abs(x - y) <= e + d ? 1 : 0
  }
}

const oracle = referenceEngine()

/** Runs a reference primitive on host numbers. */
const exactly = (
  size: number,
  run: (p: Primitives, out: Storage, ...inputs: Storage[]) => void,
  ...inputs: Float64Array[]
): Float64Array => {
  const out = oracle.allocate(size)
  const storages = inputs.map(values => {
    const storage = oracle.allocate(values.length)
    oracle.write(storage, values)
    return storage
  })
  run(oracle.primitives, out, ...storages)
  const result = oracle.read(out, size)
  for (const storage of [out, ...storages]) oracle.free(storage)
  return Float64Array.from(result instanceof Promise ? [] : result)
}

const unaryExactly = (op: UnaryOp, x: Float64Array): Float64Array =>
  exactly(x.length, (p, out, a = out) => p.unary(op, out, a, x.length), x)

const unaryFunction =
  (op: UnaryOp) =>
  (x: number): number =>
    unaryExactly(op, Float64Array.of(x))[0] ?? Number.NaN

/** Elements of an operand in the order of the result. */
const stretch = (x: Float64Array, { shape }: Broadcast, strides: readonly number[]): Float64Array => {
  const size = shape.reduce((n, length) => n * length, 1)
  return Float64Array.from({ length: size }, (_, i) => {
    let [rest, at] = [i, 0]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] ?? 1
      at += (rest % length) * (strides[axis] ?? 0)
      rest = Math.floor(rest / length)
    }
    return x[at] ?? Number.NaN
  })
}

/** Numbers move and nothing is rounded: values and bounds move alike. */
const moves = (
  out: Storage,
  x: Storage,
  size: number,
  run: (p: Primitives, to: Storage, from: Storage) => void,
): void => {
  const [to, from] = [of(out), of(x)]
  to.value.set(exactly(size, (p, o, a = o) => run(p, o, a), from.value))
  to.error.set(exactly(size, (p, o, a = o) => run(p, o, a), from.error))
}

/** |x| + e: no f32 result is larger. */
const magnitude = ({ value, error }: RoundingStorage): Float64Array =>
  value.map((x, i) => Math.abs(x) + (error[i] ?? Number.NaN))

const primitives: Primitives = {
  fill: (out, value, size) => {
    of(out).value.fill(value, 0, size)
    of(out).error.fill(Number.isFinite(value) ? Math.abs(Math.fround(value) - value) : 0, 0, size)
  },
  copy: (out, x, size) => moves(out, x, size, (p, o, a) => p.copy(o, a, size)),
  unary: (op, out, x, size) => {
    const [to, from] = [of(out), of(x)]
    to.value.set(unaryExactly(op, from.value.slice(0, size)))
    const f = unaryFunction(op)
    for (let i = 0; i < size; i++) {
      const [y = 0, a = 0, e = 0] = [to.value[i], from.value[i], from.error[i]]
      const moved = propagation(op, f, a, e)
      // The evaluation happens at x̂: its own error may be as large as at the far end.
      to.error[i] =
        Number.isFinite(y) && Number.isFinite(a) ? moved + evaluation[op](Math.abs(y) + moved, a) + floorOf(op) : 0
    }
  },
  binary: (op, out, x, y, broadcast) => {
    const [to, a, b] = [of(out), of(x), of(y)]
    const [xs, es] = [stretch(a.value, broadcast, broadcast.x), stretch(a.error, broadcast, broadcast.x)]
    const [ys, ds] = [stretch(b.value, broadcast, broadcast.y), stretch(b.error, broadcast, broadcast.y)]
    const flat: Broadcast = { shape: [xs.length], x: [1], y: [1] }
    to.value.set(exactly(xs.length, (p, o, s = o, t = o) => p.binary(op, o, s, t, flat), xs, ys))
    for (let i = 0; i < xs.length; i++)
      to.error[i] = binaryError(op, to.value[i] ?? 0, xs[i] ?? 0, es[i] ?? 0, ys[i] ?? 0, ds[i] ?? 0)
  },
  // max: the largest bound. sum: Σ e + γ_{n-1} Σ (|x| + e), in any order.
  reduce: (op, out, x, view) => {
    const [to, from] = [of(out), of(x)]
    const size = view.outer * view.inner
    const along = (of: 'sum' | 'max', values: Float64Array) =>
      exactly(size, (p, o, a = o) => p.reduce(of, o, a, view), values)
    to.value.set(along(op, from.value))
    if (op === 'max') to.error.set(along('max', from.error).map(e => Math.max(e, 0)))
    else {
      const moved = along('sum', from.error)
      const sizes = along('sum', magnitude(from))
      to.error.set(moved.map((e, i) => e + gamma(Math.max(view.length - 1, 0)) * (sizes[i] ?? 0)))
    }
  },
  // |x| d + e (|y| + d) + γ_k (|x| + e)(|y| + d), in any order, fused or not.
  matmul: (out, x, y, sizes) => {
    const [to, a, b] = [of(out), of(x), of(y)]
    const product = (s: Float64Array, t: Float64Array) =>
      exactly(sizes.batch * sizes.rows * sizes.columns, (p, o, l = o, r = o) => p.matmul(o, l, r, sizes), s, t)
    to.value.set(product(a.value, b.value))
    const [left, right] = [product(a.value.map(Math.abs), b.error), product(a.error, magnitude(b))]
    const whole = product(magnitude(a), magnitude(b))
    to.error.set(
      left.map((e, i) => e + (right[i] ?? 0) + gamma(sizes.inner) * (whole[i] ?? 0) + sizes.inner * SMALLEST),
    )
  },
  gather: (out, table, ids, rows, width) =>
    moves(out, table, ids.length * width, (p, o, a) => p.gather(o, a, ids, rows, width)),
  // Σ e + γ_{n-1} Σ (|x| + e), n the times a row is named.
  scatterAdd: (out, x, ids, rows, width) => {
    const [to, from] = [of(out), of(x)]
    const add = (values: Float64Array) =>
      exactly(rows * width, (p, o, a = o) => p.scatterAdd(o, a, ids, rows, width), values)
    to.value.set(add(from.value))
    const [moved, sizes] = [add(from.error), add(magnitude(from))]
    const named = new Float64Array(rows)
    for (const id of ids) named[id] = (named[id] ?? 0) + 1
    to.error.set(moved.map((e, i) => e + gamma(Math.max((named[Math.floor(i / width)] ?? 0) - 1, 0)) * (sizes[i] ?? 0)))
  },
  permute: (out, x, shape, order) => moves(out, x, out.size, (p, o, a) => p.permute(o, a, shape, order)),
  slice: (out, x, view, start, count) =>
    moves(out, x, view.outer * count * view.inner, (p, o, a) => p.slice(o, a, view, start, count)),
  pad: (out, x, view, start, total) =>
    moves(out, x, view.outer * total * view.inner, (p, o, a) => p.pad(o, a, view, start, total)),
  assign: (out, x, { outer, length, inner }, start, total) => {
    const [to, from] = [of(out), of(x)]
    for (let i = 0; i < outer; i++) {
      const rows = [i * length * inner, (i + 1) * length * inner]
      to.value.set(from.value.subarray(...rows), (i * total + start) * inner)
      to.error.set(from.error.subarray(...rows), (i * total + start) * inner)
    }
  },
  // out + x s, s rounded once, the product and the sum once each.
  accumulate: (out, x, scale, size) => {
    const [to, from] = [of(out), of(x)]
    const ofScale = Math.abs(Math.fround(scale) - scale)
    for (let i = 0; i < size; i++) {
      const [z = 0, e = 0, a = 0, d = 0] = [to.value[i], to.error[i], from.value[i], from.error[i]]
      const product = Math.abs(a) * ofScale + (Math.abs(scale) + ofScale) * d
      const sum = z + a * scale
      to.value[i] = sum
      to.error[i] =
        e + product + UNIT * (Math.abs(a * scale) + product) + UNIT * (Math.abs(sum) + e + product) + SMALLEST
    }
  },
  // The same bits on every engine (law R4).
  uniform: (out, key, size) => {
    of(out).value.set(exactly(size, (p, o) => p.uniform(o, key, size)))
    of(out).error.fill(0, 0, size)
  },
}

/** What flushing may take, where a result can be small though no operand is zero. */
const floorOf = (op: UnaryOp): number => (op === 'exp' || op === 'square' || op === 'sigmoid' ? SMALLEST : 0)

export const roundingEngine = (): Engine => {
  const count = counter()
  const engine: Engine = {
    name: 'rounding',
    backend: 'f64 with error bounds',
    fallbackReason: '',
    bytesPerElement: 8,
    counter: count,
    primitives,
    fused: {},
    allocate: size => {
      countAllocation(count, size * 8)
      return new RoundingStorage(engine, size)
    },
    free: storage => countFree(count, storage.size * 8),
    // A constant of a derivation is rounded once when an f32 engine receives it.
    write: (storage, values) => {
      const { value, error } = of(storage)
      value.set(values)
      error.set(value.map(x => (Number.isFinite(x) ? Math.abs(Math.fround(x) - x) : 0)))
    },
    read: (storage, size) => of(storage).value.slice(0, size),
  }
  return engine
}
