/** Sums and maxima. A row's sum has an order that depends on its length alone: four times four lanes, then pairwise. */
import { below, madd, maxLanes, splat, storePart, sumLanes } from './simd'

/** Sum of one row. */
export function rowSum(x: usize, length: i32): f32 {
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  let s2 = splat(0.0)
  let s3 = splat(0.0)
  let i = length
  for (; i >= 16; i -= 16, x += 64) {
    s0 = f32x4.add(s0, v128.load(x))
    s1 = f32x4.add(s1, v128.load(x, 16))
    s2 = f32x4.add(s2, v128.load(x, 32))
    s3 = f32x4.add(s3, v128.load(x, 48))
  }
  for (; i >= 4; i -= 4, x += 16) s0 = f32x4.add(s0, v128.load(x))
  if (i > 0) s1 = f32x4.add(s1, v128.and(v128.load(x), below(i)))
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
}

/** Sum of x * y over one row. */
export function rowDot(x: usize, y: usize, length: i32): f32 {
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  let s2 = splat(0.0)
  let s3 = splat(0.0)
  let i = length
  for (; i >= 16; i -= 16, x += 64, y += 64) {
    s0 = madd(v128.load(x), v128.load(y), s0)
    s1 = madd(v128.load(x, 16), v128.load(y, 16), s1)
    s2 = madd(v128.load(x, 32), v128.load(y, 32), s2)
    s3 = madd(v128.load(x, 48), v128.load(y, 48), s3)
  }
  for (; i >= 4; i -= 4, x += 16, y += 16) s0 = madd(v128.load(x), v128.load(y), s0)
  if (i > 0) s1 = madd(v128.and(v128.load(x), below(i)), v128.and(v128.load(y), below(i)), s1)
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
}

/** Maximum of one row; NaN if it holds one, -inf if it is empty. */
export function rowMax(x: usize, length: i32): f32 {
  let m0 = splat(-<f32>Infinity)
  let m1 = splat(-<f32>Infinity)
  let i = length
  for (; i >= 8; i -= 8, x += 32) {
    m0 = f32x4.max(m0, v128.load(x))
    m1 = f32x4.max(m1, v128.load(x, 16))
  }
  for (; i >= 4; i -= 4, x += 16) m0 = f32x4.max(m0, v128.load(x))
  if (i > 0) m0 = f32x4.max(m0, v128.bitselect(v128.load(x), splat(-<f32>Infinity), below(i)))
  return maxLanes(f32x4.max(m0, m1))
}

export function dot(out: usize, x: usize, y: usize, size: i32): void {
  f32.store(out, rowDot(x, y, size))
}

/** (outer, length) -> (outer). */
export function sumRows(out: usize, x: usize, outer: i32, length: i32): void {
  for (let i = 0; i < outer; i++) f32.store(out + (<usize>i << 2), rowSum(x + (<usize>(i * length) << 2), length))
}

export function maxRows(out: usize, x: usize, outer: i32, length: i32): void {
  for (let i = 0; i < outer; i++) f32.store(out + (<usize>i << 2), rowMax(x + (<usize>(i * length) << 2), length))
}

/** (outer, length, inner) -> (outer, inner), columns `first` to `end`: lanes across `inner`, in ascending order of `length`. */
@inline
function foldColumns(
  maximum: bool, out: usize, x: usize, outer: i32, length: i32, inner: i32, first: i32, end: i32,
): void {
  const stride = <usize>inner << 2
  const start = maximum ? splat(-<f32>Infinity) : splat(0.0)
  for (let o = 0; o < outer; o++) {
    let j = first
    for (; j + 16 <= end; j += 16) {
      let s0 = start
      let s1 = start
      let s2 = start
      let s3 = start
      let from = x + (<usize>j << 2)
      for (let i = 0; i < length; i++, from += stride) {
        s0 = maximum ? f32x4.max(s0, v128.load(from)) : f32x4.add(s0, v128.load(from))
        s1 = maximum ? f32x4.max(s1, v128.load(from, 16)) : f32x4.add(s1, v128.load(from, 16))
        s2 = maximum ? f32x4.max(s2, v128.load(from, 32)) : f32x4.add(s2, v128.load(from, 32))
        s3 = maximum ? f32x4.max(s3, v128.load(from, 48)) : f32x4.add(s3, v128.load(from, 48))
      }
      const to = out + (<usize>j << 2)
      v128.store(to, s0)
      v128.store(to, s1, 16)
      v128.store(to, s2, 32)
      v128.store(to, s3, 48)
    }
    for (; j < end; j += 4) {
      let s = start
      let from = x + (<usize>j << 2)
      for (let i = 0; i < length; i++, from += stride) {
        s = maximum ? f32x4.max(s, v128.load(from)) : f32x4.add(s, v128.load(from))
      }
      storePart(out + (<usize>j << 2), s, end - j)
    }
    out += stride
    x += stride * <usize>length
  }
}

export function sumColumns(
  out: usize, x: usize, outer: i32, length: i32, inner: i32, first: i32, end: i32,
): void {
  foldColumns(false, out, x, outer, length, inner, first, end)
}

export function maxColumns(
  out: usize, x: usize, outer: i32, length: i32, inner: i32, first: i32, end: i32,
): void {
  foldColumns(true, out, x, outer, length, inner, first, end)
}
