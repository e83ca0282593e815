/**
 * Philox4x32-10 (Salmon et al., SC 2011), four counters a vector, and what is made of it. Number i of a key is word
 * i mod 4 of the block at counter (i / 4, 0, 0, 0), its upper 24 bits times 2^-24: the bits of src/random (law R4).
 */
import { bits, splat, storePart } from './simd'

/** High words of the four 32 x 32-bit products. */
@inline
function high(low: v128, upper: v128): v128 {
  return v128.shuffle<i32>(low, upper, 1, 3, 5, 7)
}

@inline
function low(lower: v128, upper: v128): v128 {
  return v128.shuffle<i32>(lower, upper, 0, 2, 4, 6)
}

/** Writes 16 words of the key's stream, from word 4 * block on, to `out`. */
function philox(out: usize, block: i32, key0: i32, key1: i32): void {
  const m0 = bits(<i32>0xd2511f53)
  const m1 = bits(<i32>0xcd9e8d57)
  let a = i32x4.add(bits(block), i32x4(0, 1, 2, 3))
  let b = bits(0)
  let c = bits(0)
  let d = bits(0)
  for (let round = 0; round < 10; round++) {
    const p = i64x2.extmul_low_i32x4_u(a, m0)
    const q = i64x2.extmul_high_i32x4_u(a, m0)
    const r = i64x2.extmul_low_i32x4_u(c, m1)
    const s = i64x2.extmul_high_i32x4_u(c, m1)
    a = v128.xor(v128.xor(high(r, s), b), bits(key0))
    b = low(r, s)
    c = v128.xor(v128.xor(high(p, q), d), bits(key1))
    d = low(p, q)
    key0 += 0x9e3779b9
    key1 += 0xbb67ae85
  }
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  const ab2 = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
  const cd2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
  v128.store(out, v128.shuffle<i64>(ab, cd, 0, 2))
  v128.store(out, v128.shuffle<i64>(ab, cd, 1, 3), 16)
  v128.store(out, v128.shuffle<i64>(ab2, cd2, 0, 2), 32)
  v128.store(out, v128.shuffle<i64>(ab2, cd2, 1, 3), 48)
}

/** Bytes of scratch memory of `uniform` and `dropout`. */
export function randomScratch(): i32 {
  return 64
}

/** Numbers `start` to `start + size` of the key, start a multiple of 16. */
export function uniform(out: usize, key0: i32, key1: i32, start: i32, size: i32, scratch: usize): void {
  for (let i = 0; i < size; i += 16) {
    philox(scratch, (start + i) >> 2, key0, key1)
    for (let j = 0; j < 16; j += 4) {
      const word = v128.load(scratch + (<usize>j << 2))
      const u = f32x4.mul(f32x4.convert_i32x4_u(i32x4.shr_u(word, 8)), splat(5.9604644775390625e-8))
      storePart(out + (<usize>(i + j) << 2), u, size - i - j)
    }
  }
}

/** out = x * factor where the key's 24-bit integer is >= threshold, else 0. */
export function dropout(
  out: usize, x: usize, key0: i32, key1: i32, threshold: i32, factor: f32, start: i32, size: i32, scratch: usize,
): void {
  for (let i = 0; i < size; i += 16) {
    philox(scratch, (start + i) >> 2, key0, key1)
    for (let j = 0; j < 16; j += 4) {
      const kept = i32x4.ge_s(i32x4.shr_u(v128.load(scratch + (<usize>j << 2)), 8), bits(threshold))
      const at = <usize>(i + j) << 2
      storePart(out + at, v128.and(f32x4.mul(v128.load(x + at), splat(factor)), kept), size - i - j)
    }
  }
}
