import { UsedAfterFreeError } from '../../errors.ts'
import { uniform } from '../../random.ts'
import { Storage } from '../../tensor/storage.ts'
import { countAllocation, counter, countFree } from '../counter.ts'
import type { Engine } from '../engine.ts'
import type { BinaryOp, Primitives, UnaryOp } from '../primitives.ts'
import { erf } from './erf.ts'

const BYTES = 8

class ReferenceStorage extends Storage {
  data: Float64Array | null

  constructor(engine: Engine, size: number) {
    super(engine, size)
    this.data = new Float64Array(size).fill(Number.NaN)
  }
}

/** The numbers of a storage; those of a freed one are gone. */
const data = (storage: Storage): Float64Array => {
  if (!(storage instanceof ReferenceStorage))
    throw new TypeError(`a storage of the ${storage.engine.name} engine reached the reference engine`)
  if (storage.data === null)
    throw new UsedAfterFreeError('a storage of the reference engine was used after it was freed')
  return storage.data
}

const unaryOps: Readonly<Record<UnaryOp, (x: number) => number>> = {
  negate: x => -x,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  reciprocalSqrt: x => 1 / Math.sqrt(x),
  reciprocal: x => 1 / x,
  tanh: Math.tanh,
  sigmoid: x => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  erf,
  relu: x => Math.max(x, 0),
  square: x => x * x,
  abs: Math.abs,
  sin: Math.sin,
  cos: Math.cos,
  step: x => (x > 0 ? 1 : 0),
  // Halves are exact in f64; Math.round takes them up.
  round: x => (x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
}

const binaryOps: Readonly<Record<BinaryOp, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  maximum: Math.max,
  minimum: Math.min,
  greaterEqual: (x, y) => (x >= y ? 1 : 0),
}

/** Position of the i-th element of `shape`, row-major, under these strides. */
const offset = (i: number, shape: readonly number[], strides: readonly number[]): number => {
  let rest = i
  let at = 0
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis]
    at += (rest % length) * strides[axis]
    rest = Math.floor(rest / length)
  }
  return at
}

const primitives: Primitives = {
  fill: (out, value, size) => {
    data(out).fill(value, 0, size)
  },
  copy: (out, x, size) => {
    data(out).set(data(x).subarray(0, size))
  },
  unary: (op, out, x, size) => {
    const [o, a, f] = [data(out), data(x), unaryOps[op]]
    for (let i = 0; i < size; i++) o[i] = f(a[i])
  },
  binary: (op, out, x, y, { shape, x: xs, y: ys }) => {
    const [o, a, b, f] = [data(out), data(x), data(y), binaryOps[op]]
    const size = shape.reduce((n, length) => n * length, 1)
    for (let i = 0; i < size; i++) o[i] = f(a[offset(i, shape, xs)], b[offset(i, shape, ys)])
  },
  reduce: (op, out, x, { outer, length, inner }) => {
    const [o, a] = [data(out), data(x)]
    const [start, f] = op === 'sum' ? [0, binaryOps.add] : [-Infinity, binaryOps.maximum]
    for (let i = 0; i < outer; i++)
      for (let j = 0; j < inner; j++) {
        let result = start
        for (let k = 0; k < length; k++) result = f(result, a[(i * length + k) * inner + j])
        o[i * inner + j] = result
      }
  },
  matmul: (out, x, y, { batch, xBatched, yBatched, rows, inner, columns, transposeX, transposeY }) => {
    const [o, a, b] = [data(out), data(x), data(y)]
    for (let n = 0; n < batch; n++) {
      const [atX, atY] = [xBatched ? n * rows * inner : 0, yBatched ? n * inner * columns : 0]
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          let dot = 0
          for (let k = 0; k < inner; k++)
            dot +=
              a[atX + (transposeX ? k * rows + i : i * inner + k)] *
              b[atY + (transposeY ? j * inner + k : k * columns + j)]
          o[(n * rows + i) * columns + j] = dot
        }
    }
  },
  gather: (out, table, ids, _rows, width) => {
    const [o, a] = [data(out), data(table)]
    ids.forEach((id, i) => {
      o.set(a.subarray(id * width, (id + 1) * width), i * width)
    })
  },
  scatterAdd: (out, x, ids, rows, width) => {
    const [o, a] = [data(out), data(x)]
    o.fill(0, 0, rows * width)
    ids.forEach((id, i) => {
      for (let j = 0; j < width; j++) o[id * width + j] += a[i * width + j]
    })
  },
  permute: (out, x, shape, order) => {
    const [o, a] = [data(out), data(x)]
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, length) => n * length, 1))
    const [outShape, outStrides] = [order.map(axis => shape[axis]), order.map(axis => strides[axis])]
    const size = shape.reduce((n, length) => n * length, 1)
    for (let i = 0; i < size; i++) o[i] = a[offset(i, outShape, outStrides)]
  },
  slice: (out, x, { outer, length, inner }, start, count) => {
    const [o, a] = [data(out), data(x)]
    for (let i = 0; i < outer; i++)
      o.set(a.subarray((i * length + start) * inner, (i * length + start + count) * inner), i * count * inner)
  },
  pad: (out, x, view, start, total) => {
    data(out).fill(0, 0, view.outer * total * view.inner)
    primitives.assign(out, x, view, start, total)
  },
  assign: (out, x, { outer, length, inner }, start, total) => {
    const [o, a] = [data(out), data(x)]
    for (let i = 0; i < outer; i++)
      o.set(a.subarray(i * length * inner, (i + 1) * length * inner), (i * total + start) * inner)
  },
  accumulate: (out, x, scale, size) => {
    const [o, a] = [data(out), data(x)]
    for (let i = 0; i < size; i++) o[i] += a[i] * scale
  },
  uniform: (out, key, size) => {
    data(out).set(uniform(key, size))
  },
}

/**
 * The oracle of every law: f64, plain loops over the primitives, every fused kernel by its derivation. Slow and obvious; never optimised.
 * Fresh storages hold NaN, so that reading what no kernel wrote shows.
 */
export const referenceEngine = (): Engine => {
  const count = counter()
  const engine: Engine = {
    name: 'reference',
    backend: 'f64 loops',
    fallbackReason: '',
    bytesPerElement: BYTES,
    counter: count,
    primitives,
    fused: {},
    allocate: size => {
      countAllocation(count, size * BYTES)
      return new ReferenceStorage(engine, size)
    },
    free: storage => {
      data(storage)
      if (storage instanceof ReferenceStorage) storage.data = null
      countFree(count, storage.size * BYTES)
    },
    write: (storage, values) => {
      data(storage).set(values)
    },
    read: (storage, size) => data(storage).slice(0, size),
  }
  return engine
}
