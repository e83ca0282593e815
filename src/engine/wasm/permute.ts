import type { Kernels } from './binary.generated.ts'

interface Axis {
  readonly length: number
  /** Of x, in elements. */
  readonly stride: number
}

/** x's axes in the order of the result, without those of length 1, neighbours that stay neighbours merged. */
const axesOf = (shape: readonly number[], order: readonly number[]): Axis[] => {
  const strides = new Array<number>(shape.length).fill(1)
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (shape[i + 1] ?? 1)
  const axes: Axis[] = []
  for (const axis of order) {
    const length = shape[axis] ?? 1
    const stride = strides[axis] ?? 1
    const previous = axes.at(-1)
    if (length === 1) continue
    if (previous?.stride === stride * length) axes[axes.length - 1] = { length: previous.length * length, stride }
    else axes.push({ length, stride })
  }
  return axes
}

/** The innermost of the longest axes, -1 of none. */
const longestOf = (axes: readonly Axis[]): number => {
  const longest = Math.max(...axes.map(({ length }) => length))
  return axes.findLastIndex(({ length }) => length === longest)
}

/** Runs of x that stay whole are copied, else x's last axis and the result's are turned in tiles. Addresses in bytes. */
export const permute = (
  kernels: Kernels,
  out: number,
  x: number,
  shape: readonly number[],
  order: readonly number[],
): void => {
  if (shape.includes(0)) return
  const axes = axesOf(shape, order)
  const last = axes.at(-1) ?? { length: 1, stride: 1 }
  const strides = axes.map((_, i) => axes.slice(i + 1).reduce((product, axis) => product * axis.length, 1))
  // The axis that the kernel walks beside the last one: the longest, so that calls are few.
  const beside = last.stride === 1 ? longestOf(axes.slice(0, -1)) : axes.findIndex(axis => axis.stride === 1)
  const second = axes[beside] ?? { length: 1, stride: 0 }
  const secondStride = strides[beside] ?? 0
  const walk = (axis: number, to: number, from: number): void => {
    const current = axes[axis]
    if (current === undefined || axis === axes.length - 1) {
      if (last.stride === 1) kernels.copyRows(to, secondStride, from, second.stride, second.length, last.length)
      else kernels.transpose(to, secondStride, from, last.stride, last.length, second.length)
    } else if (axis === beside) walk(axis + 1, to, from)
    else
      for (let i = 0; i < current.length; i++)
        walk(axis + 1, to + 4 * i * (strides[axis] ?? 0), from + 4 * i * current.stride)
  }
  walk(0, out, x)
}
