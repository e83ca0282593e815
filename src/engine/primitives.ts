import type { Key } from '../random.ts'
import type { Storage } from '../tensor/storage.ts'

export const unaryOps = [
  'negate',
  'exp',
  'log',
  'sqrt',
  'reciprocalSqrt',
  'reciprocal',
  'tanh',
  'sigmoid',
  'erf',
  'relu',
  'square',
  'abs',
  'sin',
  'cos',
  'step',
  /** To the nearest whole number, halves to even. */
  'round',
] as const
export type UnaryOp = (typeof unaryOps)[number]

export const binaryOps = ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'greaterEqual'] as const
export type BinaryOp = (typeof binaryOps)[number]

export type ReduceOp = 'sum' | 'max'

/**
 * How two operands stretch over a result: `shape` has adjacent axes merged where possible; a stride of 0 repeats an operand.
 * Strides are in elements. The common cases are rank 1 with strides 1 or 0, and rank 2 with one operand a repeated row or column.
 */
export interface Broadcast {
  readonly shape: readonly number[]
  readonly x: readonly number[]
  readonly y: readonly number[]
}

export interface MatmulSizes {
  /** Number of products. `xBatched`/`yBatched` false: that operand is shared by all. */
  readonly batch: number
  readonly xBatched: boolean
  readonly yBatched: boolean
  readonly rows: number
  readonly inner: number
  readonly columns: number
  /** x is stored (inner, rows). */
  readonly transposeX: boolean
  /** y is stored (columns, inner). */
  readonly transposeY: boolean
}

/** A tensor seen as (outer, length, inner) around one axis. */
export interface AxisView {
  readonly outer: number
  readonly length: number
  readonly inner: number
}

/** The closed set every engine implements; each primitive's adjoint is in the set. */
export interface Primitives {
  fill(out: Storage, value: number, size: number): void
  copy(out: Storage, x: Storage, size: number): void
  unary(op: UnaryOp, out: Storage, x: Storage, size: number): void
  binary(op: BinaryOp, out: Storage, x: Storage, y: Storage, broadcast: Broadcast): void
  /** (outer, length, inner) -> (outer, inner). */
  reduce(op: ReduceOp, out: Storage, x: Storage, view: AxisView): void
  /** Each output is one sum over `inner`, in ascending order whatever `rows`, `batch` and `columns` are (laws L1, L4 on wasm). */
  matmul(out: Storage, x: Storage, y: Storage, sizes: MatmulSizes): void
  /** out[i, :] = table[ids[i], :]; table is (rows, width). */
  gather(out: Storage, table: Storage, ids: Int32Array, rows: number, width: number): void
  /** out (rows, width) = 0, then out[ids[i], :] += x[i, :] in order of i. */
  scatterAdd(out: Storage, x: Storage, ids: Int32Array, rows: number, width: number): void
  /** out's axis i is x's axis order[i]; `shape` is x's. */
  permute(out: Storage, x: Storage, shape: readonly number[], order: readonly number[]): void
  /** out (outer, count, inner) = x[:, start : start + count, :]. */
  slice(out: Storage, x: Storage, view: AxisView, start: number, count: number): void
  /** out (outer, total, inner) = 0 but for x at [:, start : start + length, :]. */
  pad(out: Storage, x: Storage, view: AxisView, start: number, total: number): void
  /** In place: out[:, start : start + length, :] = x, where out is (outer, total, inner) and x is `view`. */
  assign(out: Storage, x: Storage, view: AxisView, start: number, total: number): void
  /** In place: out += x * scale. */
  accumulate(out: Storage, x: Storage, scale: number, size: number): void
  /** out[i] = the i-th uniform of the key, in [0, 1): the same bits on every engine (law R4). */
  uniform(out: Storage, key: Key, size: number): void
}
