import type { Broadcast } from '../primitives.ts'

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
  const last = shape.length - 1
  const inner = shape[last] ?? 1
  if (last < 1) {
    kernel(out, x, 0, xs[0] ?? 0, y, 0, ys[0] ?? 0, 1, inner)
    return
  }
  const outer = shape[last - 1]
  const matrices = (axis: number, to: number, from: number, other: number): number => {
    if (axis >= last - 1) {
      kernel(to, from, xs[last - 1], xs[last], other, ys[last - 1], ys[last], outer, inner)
      return to + 4 * outer * inner
    }
    let next = to
    for (let i = 0; i < shape[axis]; i++)
      next = matrices(axis + 1, next, from + 4 * i * xs[axis], other + 4 * i * ys[axis])
    return next
  }
  matrices(0, out, x, y)
}
