import type { AxisView } from '../engine/engine.ts'
import { ShapeError } from '../errors.ts'
import { type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts'

/** An axis by number, negative ones counted from the end. */
export const axisOf = (x: Tensor, axis: number): number => {
  const index = axis < 0 ? x.shape.length + axis : axis
  if (!Number.isInteger(index) || index < 0 || index >= x.shape.length)
    throw new ShapeError(`axis ${axis} is not in shape [${x.shape}]`)
  return index
}

/** A tensor as (outer, length, inner) around one axis. */
export const viewOf = (x: Tensor, axis: number): AxisView => ({
  outer: sizeOf(x.shape.slice(0, axis)),
  length: x.shape[axis] ?? 1,
  inner: sizeOf(x.shape.slice(axis + 1)),
})

export const replaceAt = (shape: Shape, axis: number, length: number): Shape =>
  shape.map((old, i) => (i === axis ? length : old))

/** The last axis: the one that linear, norms and softmax work along. */
export const lastLength = (x: Tensor): number => {
  const length = x.shape[x.shape.length - 1]
  if (length === undefined) throw new ShapeError('a scalar has no last axis')
  return length
}

/** A tensor as rows along its last axis. */
export const rowsOf = (x: Tensor): { readonly rows: number; readonly columns: number } => ({
  rows: sizeOf(x.shape.slice(0, -1)),
  columns: lastLength(x),
})

export const sameShape = (x: Shape, y: Shape): boolean =>
  x.length === y.length && x.every((length, i) => length === y[i])

export const expectShape = (what: string, found: Shape, expected: Shape): void => {
  if (!sameShape(found, expected)) throw new ShapeError(`${what}: expected shape [${expected}], found [${found}]`)
}
