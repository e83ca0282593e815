/** Moving cells: each output cell knows where it comes from. `start` is a scalar, so one kernel serves every position of a cache. */
import type { Primitives } from '../../primitives.ts'
import type { Launcher } from '../launcher.ts'
import { gridOf, plus, stridedIndex, times, X, Y } from '../text.ts'

/** Row-major strides. */
const stridesOf = (shape: readonly number[]): readonly number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((stride, length) => stride * length, 1))

/** Axes of length 1 left out, and axes that stay neighbours in one: few axes remain, most often two or three. */
const merged = (shape: readonly number[], order: readonly number[]): { shape: number[]; strides: number[] } => {
  const strides = stridesOf(shape)
  const result: { shape: number[]; strides: number[] } = { shape: [], strides: [] }
  for (let i = order.length - 1; i >= 0; i--) {
    const [length, stride] = [shape[order[i]], strides[order[i]]]
    if (length === 1) continue
    if (result.shape.length > 0 && stride === result.strides[0] * result.shape[0]) result.shape[0] *= length
    else {
      result.shape.unshift(length)
      result.strides.unshift(stride)
    }
  }
  return result.shape.length === 0 ? { shape: [1], strides: [1] } : result
}

export const layout = ({ launch }: Launcher): Pick<Primitives, 'permute' | 'slice' | 'pad' | 'assign'> => ({
  permute: (out, x, shape, order) => {
    const { shape: outShape, strides } = merged(shape, order)
    launch(
      out,
      `permute ${outShape} ${strides}`,
      gridOf(outShape),
      () => ({ arrays: ['x'], body: `return x[${stridedIndex(outShape, strides)}];` }),
      [x],
    )
  },
  slice: (out, x, { outer, length, inner }, start, count) => {
    const at = plus(times(Y, length * inner), times('start', inner), X)
    launch(
      out,
      `slice ${length} ${inner}`,
      [count * inner, outer],
      () => ({ arrays: ['x'], integers: ['start'], body: `return x[${at}];` }),
      [x],
      [start],
    )
  },
  pad: (out, x, { outer, length, inner }, start, total) => {
    launch(
      out,
      `pad ${length} ${inner}`,
      [total * inner, outer],
      () => ({
        arrays: ['x'],
        integers: ['first'],
        body: `if (${X} >= first) { if (${X} < first + ${length * inner}) { return x[${times(Y, length * inner)} + ${X} - first]; } } return 0;`,
      }),
      [x],
      [start * inner],
    )
  },
  assign: (out, x, { outer, length, inner }, start, total) => {
    launch(
      out,
      `assign ${length} ${inner}`,
      [total * inner, outer],
      () => ({
        arrays: ['old', 'x'],
        integers: ['first'],
        body: `if (${X} >= first) { if (${X} < first + ${length * inner}) { return x[${times(Y, length * inner)} + ${X} - first]; } } return old[${times(Y, total * inner)} + ${X}];`,
      }),
      [out, x],
      [start * inner],
    )
  },
})
