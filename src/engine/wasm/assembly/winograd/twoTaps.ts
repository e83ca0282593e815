/**
 * F(4, 2) in one direction, points 0, 1, -1, 2 and infinity, for the outer taps of a window of three; and for its middle tap, which is one of
 * two whose second is 0: without the point at infinity.
 */
import { madd, nmadd, splat } from '../simd'

/** Bᵀ times four numbers, 16 bytes apart in `out`, `step` bytes apart: all finite points. */
@inline
export function middlePoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128): void {
  const two = splat(2.0)
  const e = f32x4.sub(d3, d1)
  const f = f32x4.sub(d3, d2)
  v128.store(out, madd(two, f32x4.sub(d0, d2), e))
  v128.store(out + step, nmadd(two, d1, f))
  v128.store(out + 2 * step, madd(two, f32x4.sub(d1, d2), f))
  v128.store(out + 3 * step, e)
}

/** Bᵀ times five numbers. */
@inline
export function outerPoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128): void {
  middlePoints(out, step, d0, d1, d2, d3)
  v128.store(out + 4 * step, nmadd(splat(2.0), f32x4.sub(d3, d1), f32x4.sub(d4, d2)))
}

/** G times the middle tap. */
@inline
export function middleWeight(out: usize, step: usize, w: v128): void {
  const half = f32x4.mul(w, splat(0.5))
  const sixth = f32x4.mul(w, splat(0.16666667))
  v128.store(out, half)
  v128.store(out + step, f32x4.neg(half))
  v128.store(out + 2 * step, f32x4.neg(sixth))
  v128.store(out + 3 * step, sixth)
}

/** G times the outer taps. */
@inline
export function outerWeight(out: usize, step: usize, a: v128, b: v128): void {
  const sixth = splat(0.16666667)
  v128.store(out, f32x4.mul(a, splat(0.5)))
  v128.store(out + step, f32x4.mul(f32x4.add(a, b), splat(-0.5)))
  v128.store(out + 2 * step, f32x4.mul(f32x4.sub(b, a), sixth))
  v128.store(out + 3 * step, f32x4.mul(madd(splat(2.0), b, a), sixth))
  v128.store(out + 4 * step, b)
}

/** Aᵀ times five numbers, the last one 0 for the middle tap. */
@inline
export function halvedSums(out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, bias: v128): void {
  const s = f32x4.add(m1, m2)
  const d = f32x4.sub(m1, m2)
  v128.store(out, f32x4.add(f32x4.add(f32x4.add(m0, s), m3), bias))
  v128.store(out + step, f32x4.add(madd(splat(2.0), m3, d), bias))
  v128.store(out + 2 * step, f32x4.add(madd(splat(4.0), m3, s), bias))
  v128.store(out + 3 * step, f32x4.add(f32x4.add(madd(splat(8.0), m3, d), m4), bias))
}

/** A times four numbers. */
@inline
export function halvedCotangentPoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128): void {
  const even = f32x4.add(d0, d2)
  const odd = f32x4.add(d1, d3)
  v128.store(out, d0)
  v128.store(out + step, f32x4.add(even, odd))
  v128.store(out + 2 * step, f32x4.sub(even, odd))
  v128.store(out + 3 * step, f32x4.add(madd(splat(4.0), d2, d0), madd(splat(8.0), d3, f32x4.add(d1, d1))))
  v128.store(out + 4 * step, d3)
}

/** The first row of Gᵀ times four numbers: the first outer tap, and the middle one. */
@inline
export function firstTap(m0: v128, m1: v128, m2: v128, m3: v128): v128 {
  return madd(splat(0.16666667), f32x4.sub(m3, m2), f32x4.mul(splat(0.5), f32x4.sub(m0, m1)))
}

/** The second row. */
@inline
export function lastTap(m1: v128, m2: v128, m3: v128, m4: v128): v128 {
  const near = madd(splat(0.16666667), m2, f32x4.mul(splat(-0.5), m1))
  return f32x4.add(madd(splat(0.33333334), m3, near), m4)
}
