/**
 * The order in which kernels read matrices of fewer bits: neighbouring columns together, then along the inner axis, so that lanes lie across columns and
 * memory is read once from front to end. Absent columns and inner numbers are zero.
 *
 *   f16    panels of 32 columns (inner, 32)
 *   q8_0   panels of 16 columns; a block of a panel is 16 scales, then 8 quads of four numbers of each column; of these the first and the third are
 *          biased by 128 (src/engine/wasm/assembly/quantized.ts says why)
 */
import { BLOCK, type HostMatrix, stridesOf, type WeightType } from './hostMatrix.ts'

const HALVES_PANEL = 32
const PANEL = 16
const SCALE_BYTES = 2 * PANEL
const QUAD = 4
const QUAD_BYTES = QUAD * PANEL
const BLOCK_BYTES = SCALE_BYTES + (BLOCK / QUAD) * QUAD_BYTES

/** Bytes of a packed matrix: a multiple of four. */
export const packedBytes = (type: WeightType, inner: number, columns: number): number =>
  type === 'f16'
    ? Math.ceil(columns / HALVES_PANEL) * HALVES_PANEL * inner * 2
    : Math.ceil(columns / PANEL) * Math.ceil(inner / BLOCK) * BLOCK_BYTES

/** A matrix in packed order, as f32 cells that stand for their bits. */
export const pack = (matrix: HostMatrix): Float32Array => {
  const { inner, columns, innerStep, columnStep, blockStep, scaleStep } = stridesOf(matrix)
  const bytes = new ArrayBuffer(packedBytes(matrix.type, inner, columns))
  const halves = new Uint16Array(bytes)
  if (matrix.type === 'f16') {
    const { values } = matrix
    for (let j = 0; j < columns; j++) {
      let to = (j - (j % HALVES_PANEL)) * inner + (j % HALVES_PANEL)
      for (let k = 0; k < inner; k++, to += HALVES_PANEL) halves[to] = values[k * innerStep + j * columnStep]
    }
    return new Float32Array(bytes)
  }
  const numbers = new Uint8Array(bytes)
  const blocks = Math.ceil(inner / BLOCK)
  for (let j = 0; j < Math.ceil(columns / PANEL) * PANEL; j++)
    for (let block = 0; block < blocks; block++) {
      const start = (Math.floor(j / PANEL) * blocks + block) * BLOCK_BYTES
      const there = j < columns
      if (there) halves[start / 2 + (j % PANEL)] = matrix.scales[block * blockStep + j * scaleStep]
      for (let i = 0; i < BLOCK; i++) {
        const k = block * BLOCK + i
        const number = there && k < inner ? matrix.values[k * innerStep + j * columnStep] : 0
        const at = start + SCALE_BYTES + Math.floor(i / QUAD) * QUAD_BYTES + (j % PANEL) * QUAD + (i % QUAD)
        numbers[at] = i % 2 === 0 ? number + 128 : number
      }
    }
  return new Float32Array(bytes)
}
