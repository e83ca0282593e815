/** F(4, 3) in one direction, points 0, 1, -1, 2, -2 and infinity: Bᵀ, G and Aᵀ, and what their transposes need of A and Gᵀ. */
import { madd, nmadd, splat } from '../simd'

/** Bᵀ times six numbers, 16 bytes apart in `out`, `step` bytes apart. */
@inline
export function inputPoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128): void {
  const four = splat(4.0)
  const five = splat(5.0)
  const two = splat(2.0)
  const a = nmadd(four, d2, d4)
  const b = nmadd(four, d1, d3)
  const c = f32x4.sub(d4, d2)
  const e = f32x4.mul(two, f32x4.sub(d3, d1))
  v128.store(out, nmadd(five, d2, madd(four, d0, d4)))
  v128.store(out + step, f32x4.add(a, b))
  v128.store(out + 2 * step, f32x4.sub(a, b))
  v128.store(out + 3 * step, f32x4.add(c, e))
  v128.store(out + 4 * step, f32x4.sub(c, e))
  v128.store(out + 5 * step, nmadd(five, d3, madd(four, d1, d5)))
}

/** G times three numbers, 16 bytes apart in `out`, `step` bytes apart. */
@inline
export function weightPoints(out: usize, step: usize, a: v128, b: v128, c: v128): void {
  const sixth = splat(-0.16666667)
  const even = f32x4.mul(f32x4.add(a, c), sixth)
  const odd = f32x4.mul(b, sixth)
  const far = madd(c, splat(0.16666667), f32x4.mul(a, splat(0.041666668)))
  const side = f32x4.mul(b, splat(0.083333336))
  v128.store(out, f32x4.mul(a, splat(0.25)))
  v128.store(out + step, f32x4.add(even, odd))
  v128.store(out + 2 * step, f32x4.sub(even, odd))
  v128.store(out + 3 * step, f32x4.add(far, side))
  v128.store(out + 4 * step, f32x4.sub(far, side))
  v128.store(out + 5 * step, c)
}

/** Aᵀ times six numbers. */
@inline
export function outputSums(
  out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128, bias: v128,
): void {
  const s1 = f32x4.add(m1, m2)
  const s2 = f32x4.add(m3, m4)
  const d1 = f32x4.sub(m1, m2)
  const d2 = f32x4.sub(m3, m4)
  v128.store(out, f32x4.add(f32x4.add(f32x4.add(m0, s1), s2), bias))
  v128.store(out + step, f32x4.add(madd(splat(2.0), d2, d1), bias))
  v128.store(out + 2 * step, f32x4.add(madd(splat(4.0), s2, s1), bias))
  v128.store(out + 3 * step, f32x4.add(f32x4.add(madd(splat(8.0), d2, d1), m5), bias))
}

/** A times four numbers, `step` bytes apart in `out`. */
@inline
export function cotangentPoints(out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128): void {
  const even = f32x4.add(d0, d2)
  const odd = f32x4.add(d1, d3)
  const far = madd(splat(4.0), d2, d0)
  const side = madd(splat(8.0), d3, f32x4.add(d1, d1))
  v128.store(out, d0)
  v128.store(out + step, f32x4.add(even, odd))
  v128.store(out + 2 * step, f32x4.sub(even, odd))
  v128.store(out + 3 * step, f32x4.add(far, side))
  v128.store(out + 4 * step, f32x4.sub(far, side))
  v128.store(out + 5 * step, d3)
}

/** Gᵀ times six numbers, `step` bytes apart in `out`. */
@inline
export function weightSums(out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128): void {
  const sixth = splat(0.16666667)
  const near = f32x4.mul(f32x4.add(m1, m2), sixth)
  const far = f32x4.mul(f32x4.add(m3, m4), sixth)
  v128.store(out, madd(splat(0.25), f32x4.add(m0, far), f32x4.neg(near)))
  v128.store(
    out + step, madd(splat(0.083333336), f32x4.sub(m3, m4), f32x4.mul(f32x4.sub(m2, m1), sixth)),
  )
  v128.store(out + 2 * step, f32x4.add(f32x4.sub(far, near), m5))
}
