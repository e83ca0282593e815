import type { Kernels } from './binary.generated.ts'

interface Axis {
  readonly length: number
  /** Of x, in elements. */
  readonly stride: number
}

/** An axis of one place: its length and its strides of the result and of x. */
const ONE = [1, 0, 0] as const

/** x's axes in the order of the result, without those of length 1, neighbours that stay neighbours merged. */
const axesOf = (shape: readonly number[], order: readonly number[]): Axis[] => {
  const strides = new Array<number>(shape.length).fill(1)
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1]
  const axes: Axis[] = []
  for (const axis of order) {
    const length = shape[axis]
    const stride = strides[axis]
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
  const whole = last.stride === 1
  // The axis that the kernel walks beside the last one: the longest, so that runs are many at once.
  const beside = whole ? longestOf(axes.slice(0, -1)) : axes.findIndex(axis => axis.stride === 1)
  const second = axes[beside] ?? { length: 1, stride: 0 }
  const outStride = strides[beside] ?? 0
  const matrix = whole
    ? ([outStride, second.stride, second.length, last.length] as const)
    : ([outStride, last.stride, last.length, second.length] as const)
  const outer = axes.flatMap(({ length, stride }, i) =>
    i === beside || i === axes.length - 1 ? [] : [[length, strides[i], stride] as const],
  )
  const walk = (axis: number, to: number, from: number): void => {
    const [a = ONE, b = ONE, c = ONE] = outer.slice(axis)
    if (outer.length - axis <= 3) kernels.permute(to, from, ...a, ...b, ...c, ...matrix, Number(!whole))
    else for (let i = 0; i < a[0]; i++) walk(axis + 1, to + 4 * i * a[1], from + 4 * i * a[2])
  }
  if (outer.length > 0) walk(0, out, x)
  else if (whole) kernels.copyRows(out, outStride, x, second.stride, second.length, last.length)
  else kernels.transpose(out, outStride, x, last.stride, last.length, second.length)
}
