/** Rows in blocks of 8 bits, in the form that a product with packed weights reads (quantized.ts). */
import { below, bits, splat } from './simd'
import { BLOCK, ROW_BYTES, SCALE_BYTES } from './quantizedLayout'

/** 1.5 · 2^23, plus a small number: a float whose last bits are that number, rounded to nearest even; and its own bits. */
const SHIFT: f32 = 12582912
const SHIFT_BITS: i32 = 0x4b400000
/** 2^-100: blocks whose greatest number is smaller are as good as zero, and no scale is subnormal. */
const SMALLEST_BITS: i32 = 27 << 23

/** Four numbers, of which `count` are there; the others are 0. */
@inline
function part(x: usize, count: i32): v128 {
  const four = v128.load(x)
  return count >= 4 ? four : v128.and(four, below(count))
}

/** To the nearest whole number, halves to even, as i32. */
@inline
function whole(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, splat(SHIFT)), bits(SHIFT_BITS))
}

/** x (rows, inner) -> numbers (rows, blocks): round(x / scale), scale = max |x| / 127; and (scale, correction) of each. NaN where a number is not finite. */
export function quantizeRows(numbers: usize, scales: usize, x: usize, rows: i32, inner: i32): void {
  for (; rows > 0; rows--) {
    for (let k = 0; k < inner; k += BLOCK) {
      const count = min(BLOCK, inner - k)
      // Magnitudes in the order of their bits, where a NaN is the largest.
      let largest = bits(SMALLEST_BITS)
      for (let i = 0; i < count; i += 4) largest = i32x4.max_s(largest, f32x4.abs(part(x + (<usize>i << 2), count - i)))
      largest = i32x4.max_s(largest, v128.shuffle<i32>(largest, largest, 2, 3, 0, 1))
      largest = i32x4.max_s(largest, v128.shuffle<i32>(largest, largest, 1, 0, 3, 2))
      const scale = f32x4.extract_lane(largest, 0) * <f32>(1.0 / 127.0)
      const divisor = splat(scale)
      let sum = i32x4.splat(0)
      if (count < BLOCK) memory.fill(numbers, 0, ROW_BYTES)
      for (let i = 0; i < count; i += 8) {
        const at = x + (<usize>i << 2)
        const first = whole(f32x4.div(part(at, count - i), divisor))
        const last = whole(f32x4.div(part(at + 16, count - i - 4), divisor))
        const eight = i16x8.narrow_i32x4_s(first, last)
        sum = i32x4.add(sum, i32x4.dot_i16x8_s(eight, bits(1)))
        // Pairs x₀, x₁ - 256 x₀; then of each quad the first numbers of its pairs, and the second ones.
        const pairs = i16x8.sub(eight, i32x4.shl(eight, 24))
        v128.store(numbers + (<usize>i << 1), v128.shuffle<i16>(pairs, pairs, 0, 2, 1, 3, 4, 6, 5, 7))
      }
      // The difference is 0, or NaN where the block is not finite.
      f32.store(scales, scale + (scale - scale))
      const both = i32x4.add(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1))
      i32.store(scales, -128 * (i32x4.extract_lane(both, 0) + i32x4.extract_lane(both, 1)), 4)
      scales += SCALE_BYTES
      numbers += ROW_BYTES
      x += <usize>count << 2
    }
  }
}
