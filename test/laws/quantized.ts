/** K4 and K5: what weights and products lose in 8-bit blocks. On the host, in f64. */

import { f16ToF32 } from '../../src/format/half.ts'
import { BLOCK, type HostMatrix, stridesOf, widened } from '../../src/format/quantized/hostMatrix.ts'
import { gamma } from '../kernel/rounding.ts'

/** Scale of each weight, in the matrix's order. */
const scalesOf = (matrix: HostMatrix): Float64Array => {
  if (matrix.type === 'f16') throw new TypeError('binary16 has no scales')
  const { inner, columns, innerStep, columnStep, blockStep, scaleStep } = stridesOf(matrix)
  const scales = f16ToF32(matrix.scales)
  const of = new Float64Array(inner * columns)
  for (let k = 0; k < inner; k++)
    for (let j = 0; j < columns; j++)
      of[k * innerStep + j * columnStep] = scales[Math.floor(k / BLOCK) * blockStep + j * scaleStep] ?? Number.NaN
  return of
}

export const K4 = {
  id: 'K4',
  name: 'quantization: |w - s q| <= s / 2 for every weight, q in -127 .. 127',
  holds: (weights: Float32Array, matrix: HostMatrix): boolean => {
    const [back, scales] = [widened(matrix), scalesOf(matrix)]
    const small = matrix.values.every(q => Math.abs(q) <= 127)
    return small && weights.every((w, i) => Math.abs(w - (back[i] ?? Number.NaN)) <= (scales[i] ?? Number.NaN) / 2)
  },
}

export interface QuantizedProduct {
  /** One row of activations, f32 weights (outputs, inputs), and the same in blocks along the inputs. */
  readonly x: Float32Array
  readonly weights: Float32Array
  readonly matrix: HostMatrix
  /** What an engine makes of x and the matrix. */
  readonly found: ArrayLike<number>
}

/** |x w - x̃ w̃| <= |x| s / 2 + |w| d / 2 + d s / 4 a pair, d the step of x's block; and the rounding of as many f32 operations. */
const bounds = ({ x, weights, matrix }: QuantizedProduct): { readonly exact: number; readonly bound: number }[] => {
  const scales = scalesOf(matrix)
  const steps = Float64Array.from(x, (_, k) => {
    const start = k - (k % BLOCK)
    return x.subarray(start, start + BLOCK).reduce((most, a) => Math.max(most, Math.abs(a)), 2 ** -100) / 127
  })
  return Array.from({ length: weights.length / x.length }, (_, j) => {
    let [exact, bound, size] = [0, 0, 0]
    x.forEach((a, k) => {
      const [w = 0, s = 0, d = 0] = [weights[j * x.length + k], scales[j * x.length + k], steps[k]]
      exact += a * w
      bound += (Math.abs(a) * s + Math.abs(w) * d) / 2 + (d * s) / 4
      size += (Math.abs(a) + d) * (Math.abs(w) + s)
    })
    return { exact, bound: bound + gamma(x.length + 8) * size }
  })
}

export const K5 = {
  id: 'K5',
  name: 'a quantized product is the exact one within what half a step of each operand can move it',
  holds: (product: QuantizedProduct): boolean =>
    bounds(product).every(({ exact, bound }, j) => Math.abs((product.found[j] ?? Number.NaN) - exact) <= bound),
}
