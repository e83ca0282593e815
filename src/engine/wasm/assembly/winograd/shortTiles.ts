/**
 * The last tiles of sides that are no multiples of 4, 3 or 2 outputs long: F(3, 3) without the point -2, F(2, 3) without 2 and -2. They share
 * the points of a weight with all others: what G divides a point a by beyond what they need, a + 2 or (a + 2)(a - 2), is a factor in their Bᵀ.
 * A quad may hold both kinds; then a lane takes its own.
 */
import { madd, nmadd, splat } from '../simd'
import { OUT, PLAIN } from './forms'
import { inputPoints, outputSums } from './threeTaps'

/** Outputs of the last tile of a side, 4 where it is whole. One alone is computed as two. */
@inline
export function lastOf(form: i32, length: i32): i32 {
  const rest = length % OUT
  return form == PLAIN && rest > 0 ? max(rest, 2) : OUT
}

/** Whether tiles of so many outputs have the point, of six in the order of threeTaps.ts. */
@inline
export function hasPoint(outputs: i32, point: i32): bool {
  return point <= outputs || point == 5
}

@inline
function shortPoints(outputs: i32, out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128): void {
  const three = splat(3.0)
  const four = splat(4.0)
  const even = f32x4.mul(four, f32x4.sub(d0, d2))
  const side = f32x4.sub(d3, d1)
  if (outputs == 3) {
    v128.store(out, madd(splat(2.0), side, even))
    v128.store(out + step, f32x4.mul(three, f32x4.sub(side, f32x4.add(d1, d2))))
    v128.store(out + 2 * step, madd(splat(2.0), d1, nmadd(three, d2, d3)))
    v128.store(out + 3 * step, f32x4.mul(four, side))
    v128.store(out + 5 * step, nmadd(splat(2.0), side, f32x4.sub(d4, d2)))
  } else {
    v128.store(out, even)
    v128.store(out + step, f32x4.mul(splat(-3.0), f32x4.add(d1, d2)))
    v128.store(out + 2 * step, f32x4.mul(three, f32x4.sub(d1, d2)))
    v128.store(out + 5 * step, side)
  }
}

@inline
function shortSums(
  outputs: i32, out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m5: v128, bias: v128,
): void {
  const sum = f32x4.add(m1, m2)
  const side = f32x4.sub(m1, m2)
  if (outputs == 3) {
    v128.store(out, f32x4.add(f32x4.add(f32x4.add(m0, sum), m3), bias))
    v128.store(out + step, f32x4.add(madd(splat(2.0), m3, side), bias))
    v128.store(out + 2 * step, f32x4.add(f32x4.add(madd(splat(4.0), m3, sum), m5), bias))
  } else {
    v128.store(out, f32x4.add(f32x4.add(m0, sum), bias))
    v128.store(out + step, f32x4.add(f32x4.add(side, m5), bias))
  }
}

/** Bᵀ times six numbers: of `outputs` in the lanes of `mask`, of 4 in the others. `spare` holds six vectors. */
@inline
export function sidePoints(
  outputs: i32, mask: v128, out: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128,
  spare: usize,
): void {
  if (!v128.any_true(mask)) inputPoints(out, step, d0, d1, d2, d3, d4, d5)
  else {
    shortPoints(outputs, out, step, d0, d1, d2, d3, d4)
    if (i32x4.all_true(mask)) return
    inputPoints(spare, 16, d0, d1, d2, d3, d4, d5)
    for (let p = 0; p < 6; p++, spare += 16, out += step) {
      const whole = v128.load(spare)
      v128.store(out, hasPoint(outputs, p) ? v128.bitselect(v128.load(out), whole, mask) : whole)
    }
  }
}

/** Aᵀ times six numbers, likewise. */
@inline
export function sideSums(
  outputs: i32, mask: v128, out: usize, step: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128,
  bias: v128, spare: usize,
): void {
  if (!v128.any_true(mask)) outputSums(out, step, m0, m1, m2, m3, m4, m5, bias)
  else {
    shortSums(outputs, out, step, m0, m1, m2, m3, m5, bias)
    if (i32x4.all_true(mask)) return
    outputSums(spare, 16, m0, m1, m2, m3, m4, m5, bias)
    for (let k = 0; k < OUT; k++, spare += 16, out += step) {
      const whole = v128.load(spare)
      v128.store(out, k < outputs ? v128.bitselect(v128.load(out), whole, mask) : whole)
    }
  }
}
