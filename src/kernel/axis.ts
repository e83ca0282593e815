import type { AxisView } from '../engine/primitives.ts'
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
export const viewOf = ({ shape }: Tensor, axis: number): AxisView => {
  let [outer, inner] = [1, 1]
  for (let i = 0; i < axis; i++) outer *= shape[i]
  for (let i = axis + 1; i < shape.length; i++) inner *= shape[i]
  return { outer, length: shape[axis], inner }
}

export const replaceAt = (shape: Shape, axis: number, length: number): Shape => {
  const replaced = [...shape]
  replaced[axis] = length
  return replaced
}

/** Whether two shapes agree on every axis but one. */
export const sameBut = (x: Shape, y: Shape, axis: number): boolean => {
  if (x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (i !== axis && x[i] !== y[i]) return false
  return true
}

/** Whether a number of groups, heads or steps is one. */
export const isPositive = (n: number): boolean => Number.isInteger(n) && n > 0

/** The last axis: the one that linear, norms and softmax work along. */
export const lastLength = (x: Tensor): number => {
  const length = x.shape[x.shape.length - 1]
  if (length === undefined) throw new ShapeError('a scalar has no last axis')
  return length
}

/** A tensor as rows along its last axis. */
export const rowsOf = (x: Tensor): { readonly rows: number; readonly columns: number } => {
  const columns = lastLength(x)
  return { rows: columns === 0 ? sizeOf(x.shape.slice(0, -1)) : x.size / columns, columns }
}

export const sameShape = (x: Shape, y: Shape): boolean => {
  if (x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}

export const expectShape = (what: string, found: Shape, expected: Shape): void => {
  if (!sameShape(found, expected)) throw new ShapeError(`${what}: expected shape [${expected}], found [${found}]`)
}
