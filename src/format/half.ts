/**
 * Conversions between f32 and the two 16-bit floats of checkpoints, on whole arrays of bit patterns.
 *
 *   F16   1 sign, 5 exponent (bias 15), 10 fraction bits   (IEEE 754 binary16)
 *   BF16  1 sign, 8 exponent (bias 127), 7 fraction bits   (the upper half of an f32)
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even, subnormals included; what is too large becomes infinite; a
 * NaN keeps its sign and upper payload bits, and stays a NaN. All on integers: the floating-point unit would quieten
 * signalling NaNs.
 */

const patterns = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length)

/** The f32 bit pattern of an F16 one. */
export const f16Widen = (half: number): number => {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return (sign | 0x7f800000 | (fraction << 13)) >>> 0
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0
  if (fraction === 0) return sign >>> 0
  // Subnormal: fraction · 2^-24, normalised by its leading bit.
  const shift = Math.clz32(fraction) - 21
  return (sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)) >>> 0
}

/** The F16 bit pattern nearest to an f32 one. */
export const f16Narrow = (bits: number): number => {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7c00 | quietUnlessPayload((magnitude >>> 13) & 0x3ff, 0x200)
  // 65520 is half-way between the largest finite F16 and the next power of two.
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  // Normal from 2^-14 on: rebias the exponent; the rounding carry may rightly run into it.
  if (magnitude >= 0x38800000) return sign | roundShift(magnitude - 0x38000000, 13)
  // Below half the smallest subnormal 2^-24, everything rounds to zero.
  if (magnitude < 0x33000000) return sign
  const significand = (magnitude & 0x7fffff) | 0x800000
  return sign | roundShift(significand, 126 - (magnitude >>> 23))
}

/** The f32 bit pattern of a BF16 one. */
export const bf16Widen = (half: number): number => (half << 16) >>> 0

/** The BF16 bit pattern nearest to an f32 one. */
export const bf16Narrow = (bits: number): number => {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7f80 | quietUnlessPayload((magnitude >>> 16) & 0x7f, 0x40)
  return sign | roundShift(magnitude, 16)
}

/** value · 2^-shift rounded to nearest, ties to even, for 0 < shift < 32 and value < 2^31. */
const roundShift = (value: number, shift: number): number => {
  const floor = value >>> shift
  const rest = value & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return floor + (rest > half || (rest === half && (floor & 1) === 1) ? 1 : 0)
}

/** A NaN whose payload falls off entirely must not turn into an infinity. */
const quietUnlessPayload = (payload: number, quiet: number): number => (payload === 0 ? quiet : payload)

const widen = (each: (half: number) => number) => (halves: Uint16Array) => {
  const out = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) out[i] = each(halves[i])
  return new Float32Array(out.buffer)
}

const narrow = (each: (bits: number) => number) => (values: Float32Array) => {
  const bits = patterns(values)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = each(bits[i])
  return out
}

/** F16 patterns as f32 values. */
export const f16ToF32 = widen(f16Widen)
/** f32 values as the nearest F16 patterns. */
export const f32ToF16 = narrow(f16Narrow)
/** BF16 patterns as f32 values. */
export const bf16ToF32 = widen(bf16Widen)
/** f32 values as the nearest BF16 patterns. */
export const f32ToBf16 = narrow(bf16Narrow)
