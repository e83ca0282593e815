/**
 * Elementary functions on four f32 lanes. Errors on the normal range against f64 (test/engine/wasm/functions.test.ts):
 * exp 1, log 1, tanh 2, sigmoid 3, erf 2 ulp. Infinities and NaN behave as Math's; exp reaches subnormals.
 * exp, log, tanh: Cephes (Moshier, single precision). erf: N. Juffa's two-range minimax polynomials.
 */
import { bits, madd, nmadd, splat } from './simd'

/** e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2. */
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(x, splat(-104.0)), splat(89.0))
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const shifted = madd(bounded, splat(1.44269504088896341), splat(12582912.0))
  const n = f32x4.sub(shifted, splat(12582912.0))
  const r = nmadd(n, splat(-2.12194440e-4), nmadd(n, splat(0.693359375), bounded))
  let p = madd(splat(1.9875691500e-4), r, splat(1.3981999507e-3))
  p = madd(p, r, splat(8.3334519073e-3))
  p = madd(p, r, splat(4.1665795894e-2))
  p = madd(p, r, splat(1.6666665459e-1))
  p = madd(p, r, splat(5.0000001201e-1))
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), splat(1.0))
  // 2^n in two halves, so that overflow and subnormals come out right.
  const exponent = i32x4.sub(shifted, bits(0x4b400000))
  const half = i32x4.shr_s(exponent, 1)
  const rest = i32x4.sub(exponent, half)
  const bias = bits(127)
  p = f32x4.mul(p, i32x4.shl(i32x4.add(half, bias), 23))
  return f32x4.mul(p, i32x4.shl(i32x4.add(rest, bias), 23))
}

/** log(2^e m) = e ln 2 + log m, m in [sqrt(1/2), sqrt 2). */
@inline
export function log4(x: v128): v128 {
  const tiny = f32x4.lt(x, splat(1.17549435e-38))
  const scaled = v128.bitselect(f32x4.mul(x, splat(8388608.0)), x, tiny)
  // Subtracting the bits of sqrt(1/2) puts the exponent of m in [sqrt(1/2), sqrt 2) on top.
  const offset = i32x4.sub(scaled, bits(0x3f3504f3))
  const e = f32x4.sub(f32x4.convert_i32x4_s(i32x4.shr_s(offset, 23)), v128.and(tiny, splat(23.0)))
  const m = i32x4.add(v128.and(offset, bits(0x007fffff)), bits(0x3f3504f3))
  const f = f32x4.sub(m, splat(1.0))
  const z = f32x4.mul(f, f)
  let p = madd(splat(7.0376836292e-2), f, splat(-1.1514610310e-1))
  p = madd(p, f, splat(1.1676998740e-1))
  p = madd(p, f, splat(-1.2420140846e-1))
  p = madd(p, f, splat(1.4249322787e-1))
  p = madd(p, f, splat(-1.6668057665e-1))
  p = madd(p, f, splat(2.0000714765e-1))
  p = madd(p, f, splat(-2.4999993993e-1))
  p = madd(p, f, splat(3.3333331174e-1))
  p = f32x4.mul(f32x4.mul(p, f), z)
  p = madd(e, splat(-2.12194440e-4), p)
  p = nmadd(splat(0.5), z, p)
  let y = madd(e, splat(0.693359375), f32x4.add(f, p))
  // +inf and NaN pass through, 0 gives -inf, below 0 gives NaN.
  y = v128.bitselect(y, f32x4.add(x, splat(<f32>NaN)), f32x4.ge(x, splat(0.0)))
  y = v128.bitselect(splat(-<f32>Infinity), y, f32x4.eq(x, splat(0.0)))
  return v128.bitselect(x, y, f32x4.eq(x, splat(<f32>Infinity)))
}

/** e^x for x <= 0, and 0 below -87.3 where results stop being normal: cheaper than `exp4`, for softmax and its kin. */
@inline
export function expNegative4(x: v128): v128 {
  // 1.5 * 2^23 as in `exp4`, and the exponent's bias, so that the low bits of `shifted` are the exponent of 2^n.
  const shifted = madd(x, splat(1.44269504088896341), splat(12583039.0))
  const n = f32x4.sub(shifted, splat(12583039.0))
  const r = nmadd(n, splat(-2.12194440e-4), nmadd(n, splat(0.693359375), x))
  let p = madd(splat(1.9875691500e-4), r, splat(1.3981999507e-3))
  p = madd(p, r, splat(8.3334519073e-3))
  p = madd(p, r, splat(4.1665795894e-2))
  p = madd(p, r, splat(1.6666665459e-1))
  p = madd(p, r, splat(5.0000001201e-1))
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), splat(1.0))
  return v128.andnot(f32x4.mul(p, i32x4.shl(shifted, 23)), f32x4.lt(x, splat(-87.3)))
}

/**
 * 2^t for t <= 0, and 0 below -126.5: half the work of `expNegative4`, to 2 ulp. A minimax polynomial on [-1/2, 1/2] that is 1 at 0.
 * e^x = 2^(x log2 e) costs the rounding of its argument, |x| / 2 ulp.
 */
@inline
export function exp2Negative4(t: v128): v128 {
  const bounded = f32x4.pmax(t, splat(-127.0))
  const shifted = f32x4.add(bounded, splat(12583039.0))
  const f = f32x4.sub(bounded, f32x4.sub(shifted, splat(12583039.0)))
  let p = madd(splat(1.3264727313071489e-3), f, splat(9.6715129911899567e-3))
  p = madd(p, f, splat(5.5507335811853409e-2))
  p = madd(p, f, splat(0.24022242426872253))
  p = madd(p, f, splat(0.69314700365066528))
  p = madd(p, f, splat(1.0))
  return f32x4.mul(p, i32x4.shl(shifted, 23))
}

/** |x| < 0.625: odd polynomial; beyond: (1 - e) / (1 + e) with e = e^-2|x|. */
@inline
export function tanh4(x: v128): v128 {
  const size = f32x4.abs(x)
  const z = f32x4.mul(x, x)
  let p = madd(splat(-5.70498872745e-3), z, splat(2.06390887954e-2))
  p = madd(p, z, splat(-5.37397155531e-2))
  p = madd(p, z, splat(1.33314422036e-1))
  p = madd(p, z, splat(-3.33332819422e-1))
  const near = madd(f32x4.mul(p, z), x, x)
  const e = expNegative4(f32x4.mul(size, splat(-2.0)))
  const far = f32x4.div(f32x4.sub(splat(1.0), e), f32x4.add(splat(1.0), e))
  const signed = v128.or(far, v128.and(x, bits(0x80000000)))
  return v128.bitselect(near, signed, f32x4.lt(size, splat(0.625)))
}

/** 1 + e^-x = 1 + 2^n e^-r with r = x + n ln 2; infinite below -88.4. */
@inline
export function onePlusExp4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(x, splat(-89.0)), splat(87.3))
  const shifted = madd(bounded, splat(-1.44269504088896341), splat(12583039.0))
  const n = f32x4.sub(shifted, splat(12583039.0))
  const r = madd(n, splat(-2.12194440e-4), madd(n, splat(0.693359375), bounded))
  let p = madd(splat(1.381459878757596e-3), r, splat(-8.3687165752053261e-3))
  p = madd(p, r, splat(4.1668388992547989e-2))
  p = madd(p, r, splat(-0.1666652113199234))
  p = madd(p, r, splat(0.49999994039535522))
  p = madd(p, r, splat(-1.0))
  p = madd(p, r, splat(1.0))
  return madd(p, i32x4.shl(shifted, 23), splat(1.0))
}

/** 1 / (1 + e^-x). */
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.div(splat(1.0), onePlusExp4(x))
}

/** erf for |x| <= 0.9277. */
@inline
function erfNear(x: v128): v128 {
  const s = f32x4.mul(x, x)
  let r = madd(splat(-5.96761703e-4), s, splat(4.99119423e-3))
  r = madd(r, s, splat(-2.67681349e-2))
  r = madd(r, s, splat(1.12819925e-1))
  r = madd(r, s, splat(-3.76125336e-1))
  r = madd(r, s, splat(1.28379166e-1))
  return madd(r, x, x)
}

/** erfc(t) for t >= 0.9277. */
@inline
function erfcFar(size: v128): v128 {
  const t = f32x4.pmin(size, splat(10.5))
  const s = f32x4.mul(t, t)
  let r = madd(splat(-1.72853470e-5), t, splat(3.83197126e-4))
  const u = madd(splat(-3.88396438e-3), t, splat(2.42546219e-2))
  r = madd(r, s, u)
  r = madd(r, t, splat(-1.06777877e-1))
  r = madd(r, t, splat(-6.34846687e-1))
  r = madd(r, t, splat(-1.28717512e-1))
  r = f32x4.sub(f32x4.mul(r, t), t)
  return exp4(r)
}

@inline
export function erf4(x: v128): v128 {
  const size = f32x4.abs(x)
  const far = v128.or(f32x4.sub(splat(1.0), erfcFar(size)), v128.and(x, bits(0x80000000)))
  return v128.bitselect(far, erfNear(x), f32x4.gt(size, splat(0.927734375)))
}

/** e^(-x^2 / 2). */
@inline
export function gaussian4(x: v128): v128 {
  return exp2Negative4(f32x4.mul(f32x4.mul(x, x), splat(-0.72134752044448170)))
}

/**
 * The normal distribution function from `gaussian` = e^(-x^2 / 2): its left tail is gaussian t P(t) with
 * t = 1 / (1 + 0.26 |x|) and P a minimax polynomial of relative error 2e-8 on |x| <= 13. Relative error 5e-7 for x > -2,
 * and in the tail what the rounding of x^2 leaves.
 */
@inline
export function normalCdf4(x: v128, gaussian: v128): v128 {
  const one = splat(1.0)
  const t = f32x4.div(one, madd(f32x4.abs(x), splat(0.26), one))
  let p = madd(splat(0.030897406861186028), t, splat(-0.15474648773670197))
  p = madd(p, t, splat(0.2554793655872345))
  p = madd(p, t, splat(-0.1555503010749817))
  p = madd(p, t, splat(0.16416232287883759))
  p = madd(p, t, splat(0.049638282507658005))
  p = madd(p, t, splat(0.10339242219924927))
  p = madd(p, t, splat(0.10296478122472763))
  p = madd(p, t, splat(0.1037622019648552))
  const tail = f32x4.mul(gaussian, f32x4.mul(t, p))
  return v128.bitselect(tail, f32x4.sub(one, tail), f32x4.lt(x, splat(0.0)))
}
