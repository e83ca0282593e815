/**
 * Matrices of weights in fewer bits, on the host, as files hold them.
 *
 *   f16    IEEE 754 binary16
 *   q8_0   blocks of 32 along the axis that products sum over: whole numbers q in -127 .. 127 and a scale s (binary16); weight = s q
 *
 * Source of q8_0: llama.cpp, ggml-common.h, block_q8_0. There a row's length must be a multiple of 32; here the last block may be shorter.
 */
import { f16ToF32 } from '../half.ts'

/** Number types of weights besides the engines' own. */
export type WeightType = 'f16' | 'q8_0'

/** Numbers of a q8_0 block. */
export const BLOCK = 32

interface Matrix {
  /** As the model has it. */
  readonly shape: readonly [number, number]
  /** The axis that products sum over: 0 for (inputs, outputs), 1 for (outputs, inputs) and for tables of embeddings. */
  readonly innerAxis: 0 | 1
}

export type HostMatrix =
  | (Matrix & { readonly type: 'f16'; readonly values: Uint16Array })
  | (Matrix & {
      readonly type: 'q8_0'
      readonly values: Int8Array
      /** Binary16 patterns; the matrix's shape with its inner axis in blocks. */
      readonly scales: Uint16Array
    })

/** The shape of a matrix's scales. */
export const scalesShape = ([first, second]: readonly [number, number], innerAxis: 0 | 1): readonly [number, number] =>
  innerAxis === 0 ? [Math.ceil(first / BLOCK), second] : [first, Math.ceil(second / BLOCK)]

/** Inner length, number of outputs, and the steps between neighbours along both, for numbers and for scales. */
export const stridesOf = ({ shape: [first, second], innerAxis }: Matrix) =>
  innerAxis === 0
    ? { inner: first, columns: second, innerStep: second, columnStep: 1, blockStep: second, scaleStep: 1 }
    : {
        inner: second,
        columns: first,
        innerStep: 1,
        columnStep: second,
        blockStep: 1,
        scaleStep: Math.ceil(second / BLOCK),
      }

/** The weights as f32, exactly, in the matrix's own order. */
export const widened = (matrix: HostMatrix): Float32Array => {
  if (matrix.type === 'f16') return f16ToF32(matrix.values)
  const { inner, columns, innerStep, columnStep, blockStep, scaleStep } = stridesOf(matrix)
  const scales = f16ToF32(matrix.scales)
  const out = new Float32Array(inner * columns)
  for (let k = 0; k < inner; k++)
    for (let j = 0; j < columns; j++) {
      const at = k * innerStep + j * columnStep
      out[at] = matrix.values[at] * scales[Math.floor(k / BLOCK) * blockStep + j * scaleStep]
    }
  return out
}
