/**
 * Weights in q8_0: a block's scale is the binary16 nearest to max |w| / 127, or the next one where that would leave the greatest weight half
 * a step or more behind 127 steps; q = round(w / s), to nearest even. Law K4: |w - s q| <= s / 2, q in -127 .. 127.
 */
import { InputError } from '../../errors.ts'
import { f16ToF32, f16Widen, f32ToF16 } from '../half.ts'
import { BLOCK, type HostMatrix, scalesShape, stridesOf } from './hostMatrix.ts'

const LARGEST = 127
/** The largest finite binary16. */
const LARGEST_HALF = 0x7bff

const patterns = new Uint32Array(1)
const numbers = new Float32Array(patterns.buffer)

const halfValue = (half: number): number => {
  patterns[0] = f16Widen(half)
  return numbers[0]
}

/** The scale of a block whose greatest magnitude this is, as a binary16 pattern. */
const scaleOf = (greatest: number, name: string): number => {
  const [nearest] = f32ToF16(Float32Array.of(greatest / LARGEST))
  // Half a step behind would round to 128, which 8 bits hold as -128.
  const half = greatest > 0 && greatest >= (LARGEST + 0.5) * halfValue(nearest) ? nearest + 1 : nearest
  if (!(half <= LARGEST_HALF)) throw new InputError(`${name}: expected weights that 8 bits can hold, found ${greatest}`)
  return half
}

/** To the nearest whole number, halves to even. */
const roundEven = (x: number): number => (x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))

/** f32 weights as q8_0 blocks along an axis. What is not finite or too large (beyond 8.3e6) is an InputError that names the tensor. */
export const quantizeMatrix = (
  values: Float32Array,
  shape: readonly [number, number],
  innerAxis: 0 | 1,
  name: string,
): HostMatrix => {
  const { inner, columns, innerStep, columnStep, blockStep, scaleStep } = stridesOf({ shape, innerAxis })
  const [rows, width] = scalesShape(shape, innerAxis)
  const out = new Int8Array(values.length)
  const scales = new Uint16Array(rows * width)
  for (let j = 0; j < columns; j++)
    for (let start = 0; start < inner; start += BLOCK) {
      const end = Math.min(start + BLOCK, inner)
      let greatest = 0
      for (let k = start; k < end; k++) {
        const magnitude = Math.abs(values[k * innerStep + j * columnStep])
        // A NaN is no smaller than anything.
        if (!(magnitude <= greatest)) greatest = magnitude
      }
      const half = scaleOf(greatest, name)
      const scale = halfValue(half)
      scales[(start / BLOCK) * blockStep + j * scaleStep] = half
      if (scale === 0) continue
      for (let k = start; k < end; k++) {
        const at = k * innerStep + j * columnStep
        out[at] = roundEven(values[at] / scale)
      }
    }
  return { type: 'q8_0', shape, innerAxis, values: out, scales }
}

/** f32 weights as binary16, rounded to nearest even. Too large ones are an InputError. */
export const halveMatrix = (
  values: Float32Array,
  shape: readonly [number, number],
  innerAxis: 0 | 1,
  name: string,
): HostMatrix => {
  const halves = f32ToF16(values)
  if (!f16ToF32(halves).every(Number.isFinite))
    throw new InputError(`${name}: expected weights that binary16 can hold, found larger ones`)
  return { type: 'f16', shape, innerAxis, values: halves }
}
