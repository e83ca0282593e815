import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { permute } from '../../src/kernel/permute.ts'
import { spread, sumPool } from '../../src/kernel/pool.ts'
import { type Pair, pairOf } from '../../src/kernel/window.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Planes } from './planes.ts'

/** Each element `factor` times along height and width. Its adjoint is the sum under each window: average pooling, but for a factor. Laws D3-D5. */
export const upsampleNearest = (factor: Pair): Operator<Planes, Planes> => {
  const [down, across] = pairOf(factor)
  return (_, x) => {
    const [, , height, width] = x.shape
    return {
      value: spread(x, 1, [height * down, width * across], { window: factor }),
      state: {},
      saved: [],
      pullback: dy => [{}, sumPool(dy, 1, { window: factor })],
    }
  }
}

/**
 * Linear interpolation between the centres of elements, `factor` times as many along height and width, as PyTorch's Upsample with `align_corners`
 * false. Laws D3-D5.
 */
export const upsampleBilinear = (factor: Pair): Operator<Planes, Planes> => {
  const [down, across] = pairOf(factor)
  return (_, x) => {
    const [, , height, width] = x.shape
    const [ofHeight, ofWidth] = [interpolation(x, height, down), interpolation(x, width, across)]
    return {
      value: scope(() => alongLast(alongLast(x, ofWidth, true), ofHeight, true)),
      state: {},
      saved: [ofHeight, ofWidth],
      pullback: dy => [{}, scope(() => alongLast(alongLast(dy, ofWidth, false), ofHeight, false))],
    }
  }
}

/** x times a matrix along its last axis, the last two axes then swapped. */
const alongLast = (x: Tensor, matrix: Tensor, transposeY: boolean): Planes =>
  permute(matmulTransposed(x, matrix, { transposeY }), [0, 1, 3, 2])

/** (length · factor, length): each row weighs the two elements around it. */
const interpolation = (beside: Tensor, length: number, factor: number): Tensor => {
  const values = new Float64Array(length * factor * length)
  for (let i = 0; i < length * factor; i++) {
    const at = Math.max((i + 0.5) / factor - 0.5, 0)
    const low = Math.floor(at)
    const high = Math.min(low + 1, length - 1)
    values[i * length + low] += 1 - (at - low)
    values[i * length + high] += at - low
  }
  return tensor(beside.engine, [length * factor, length], values)
}
