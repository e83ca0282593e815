import type { Broadcast } from '../engine.ts'

/** A compiled binary kernel over (outer, inner), operands by strides in elements. */
export type BinaryKernel = (
  out: number,
  x: number,
  xOuter: number,
  xInner: number,
  y: number,
  yOuter: number,
  yInner: number,
  outer: number,
  inner: number,
) => void

/** Walks the axes before the last two and runs the kernel on each matrix. Addresses in bytes. */
export const binary = (
  kernel: BinaryKernel,
  out: number,
  x: number,
  y: number,
  { shape, x: xs, y: ys }: Broadcast,
): void => {
  const rank = shape.length
  const last = rank - 1
  const inner = shape[last] ?? 1
  const outer = shape[last - 1] ?? 1
  const matrices = (axis: number, to: number, from: number, other: number): number => {
    if (axis >= rank - 2) {
      kernel(to, from, xs[last - 1] ?? 0, xs[last] ?? 0, other, ys[last - 1] ?? 0, ys[last] ?? 0, outer, inner)
      return to + 4 * outer * inner
    }
    let next = to
    for (let i = 0; i < (shape[axis] ?? 1); i++)
      next = matrices(axis + 1, next, from + 4 * i * (xs[axis] ?? 0), other + 4 * i * (ys[axis] ?? 0))
    return next
  }
  matrices(0, out, x, y)
}
