/**
 * Four f32 lanes. Loads may run past a row's end (every block has room behind it), stores never do.
 * Nothing here depends on how many lanes are in use, so a value has the same bits in a vector and in a tail.
 */

/** a * b + c: one multiply and one add, or one fused step in the relaxed binary. Every product is accumulated by it. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c)
  return f32x4.add(c, f32x4.mul(a, b))
}

/** c - a * b. */
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c)
  return f32x4.sub(c, f32x4.mul(a, b))
}

@inline
export function splat(value: f32): v128 {
  return f32x4.splat(value)
}

@inline
export function bits(value: i32): v128 {
  return i32x4.splat(value)
}

/** Stores the first `count` lanes (all, from 4 on). */
@inline
export function storePart(to: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, v)
  } else if (count > 0) {
    v128.store32_lane(to, v, 0)
    if (count > 1) v128.store32_lane(to, v, 1, 4)
    if (count > 2) v128.store32_lane(to, v, 2, 8)
  }
}

/** All ones in lanes below `count`. */
@inline
export function below(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count))
}

/** (l0 + l2) + (l1 + l3). */
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1))
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1)
}

@inline
export function maxLanes(v: v128): f32 {
  const pairs = f32x4.max(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1))
  return max<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1))
}

/** Four numbers `stride` bytes apart; stride 0 repeats one. Lanes from `count` on repeat the last. */
@inline
export function loadStrided(from: usize, stride: usize, count: i32): v128 {
  let v = v128.load32_splat(from)
  if (count > 1) v = v128.load32_lane(from + stride, v, 1)
  if (count > 2) v = v128.load32_lane(from + 2 * stride, v, 2)
  if (count > 3) v = v128.load32_lane(from + 3 * stride, v, 3)
  return v
}

export function fill(out: usize, value: f32, size: i32): void {
  const v = splat(value)
  let i = 0
  for (; i + 4 <= size; i += 4) v128.store(out + (<usize>i << 2), v)
  storePart(out + (<usize>i << 2), v, size - i)
}

export function copy(out: usize, x: usize, size: i32): void {
  memory.copy(out, x, <usize>size << 2)
}
