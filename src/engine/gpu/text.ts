/**
 * Pieces of kernel text. Every index is integer arithmetic written inside a subscript; terms that are zero disappear, since
 * gpu.js takes the product of two literals for a float.
 */
import type { Grid } from './device.ts'

export const X = 'this.thread.x'
export const Y = 'this.thread.y'
export const Z = 'this.thread.z'

/** floor(index / by), for index below 2^21: the half keeps a device's inexact division on the right side. */
export const quotient = (index: string, by: number): string =>
  by === 1 ? index : `(Math.floor((${index} + 0.5) / ${by}) | 0)`

/** index mod by, given that index < length. */
export const remainder = (index: string, by: number, length: number): string =>
  by === 1 ? '0' : length <= by ? index : `(${index} - ${quotient(index, by)} * ${by})`

export const times = (index: string, stride: number): string =>
  stride === 0 || index === '0' ? '' : stride === 1 ? index : `${index} * ${stride}`

export const plus = (...terms: readonly string[]): string => terms.filter(term => term !== '').join(' + ') || '0'

const product = (lengths: readonly number[]): number => lengths.reduce((size, length) => size * length, 1)

/** The cells of a shape: the last axis along x, the one before along y, all others along z. */
export const gridOf = (shape: readonly number[]): Grid => [
  shape.at(-1) ?? 1,
  shape.at(-2) ?? 1,
  product(shape.slice(0, -2)),
]

/** The position of a cell of `gridOf(shape)` in an array with these strides. */
export const stridedIndex = (shape: readonly number[], strides: readonly number[]): string =>
  plus(
    ...shape.map((length, axis) => {
      if (axis === shape.length - 1) return times(X, strides[axis])
      if (axis === shape.length - 2) return times(Y, strides[axis])
      const outer = shape.slice(0, -2)
      const inner = product(outer.slice(axis + 1))
      return length === 1 ? '' : times(remainder(quotient(Z, inner), length, product(outer) / inner), strides[axis])
    }),
  )
