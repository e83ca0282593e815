/**
 * Activations, named `<kind>`, and the same with their slopes, `<kind>WithSlope`: both share the exponential, and a pullback
 * is a product with the slope. gelu: Hendrycks & Gimpel, arXiv 1606.08415. Law N8.
 */
import { gaussian4, normalCdf4, onePlusExp4, sigmoid4, tanh4 } from './functions'
import { madd, splat, storePart } from './simd'

const GELU = 0
const GELU_TANH = 1
const SILU = 2
const RELU = 3
const TANH = 4
const SIGMOID = 5

const SQRT_2_OVER_PI: f32 = 0.79788456080286536
const CUBIC: f32 = 0.044715

/** 2 sqrt(2 / pi) (x + 0.044715 x^3): the sigmoid of it is (1 + tanh) / 2 of its half. */
@inline
function cubic(x: v128): v128 {
  return f32x4.mul(madd(f32x4.mul(f32x4.mul(x, x), splat(CUBIC)), x, x), splat(2.0 * SQRT_2_OVER_PI))
}

@inline
function value(kind: i32, x: v128): v128 {
  if (kind == GELU) return f32x4.mul(x, normalCdf4(x, gaussian4(x)))
  if (kind == GELU_TANH) return f32x4.div(x, onePlusExp4(cubic(x)))
  return f32x4.div(x, onePlusExp4(x))
}

@inline
function forward(kind: i32, out: usize, x: usize, size: i32): void {
  let i = size
  // Two vectors a loop share the constants that do not fit the registers.
  for (; i >= 8; i -= 8, out += 32, x += 32) {
    const u = value(kind, v128.load(x))
    const v = value(kind, v128.load(x, 16))
    v128.store(out, u)
    v128.store(out, v, 16)
  }
  for (; i >= 4; i -= 4, out += 16, x += 16) v128.store(out, value(kind, v128.load(x)))
  if (i > 0) storePart(out, value(kind, v128.load(x)), i)
}

/** Stores f(x) and f'(x) of four numbers, the first `count` of them. */
@inline
function both(kind: i32, out: usize, slope: usize, x: v128, count: i32): void {
  const one = splat(1.0)
  let y: v128
  let d: v128
  if (kind == GELU) {
    const gaussian = gaussian4(x)
    const cdf = normalCdf4(x, gaussian)
    y = f32x4.mul(x, cdf)
    d = madd(f32x4.mul(x, splat(0.39894228040143268)), gaussian, cdf)
  } else if (kind == GELU_TANH) {
    const e = onePlusExp4(cubic(x))
    const s = f32x4.div(one, e)
    // s is 0 or 1 long before x x would be infinite.
    const near = f32x4.pmax(f32x4.pmin(x, splat(1e9)), splat(-1e9))
    const inner = madd(f32x4.mul(near, near), splat(6.0 * CUBIC * SQRT_2_OVER_PI), splat(2.0 * SQRT_2_OVER_PI))
    y = f32x4.div(x, e)
    d = f32x4.mul(s, madd(f32x4.mul(near, f32x4.sub(one, s)), inner, one))
  } else if (kind == SILU) {
    const e = onePlusExp4(x)
    const s = f32x4.div(one, e)
    y = f32x4.div(x, e)
    d = f32x4.mul(s, madd(x, f32x4.sub(one, s), one))
  } else if (kind == RELU) {
    y = f32x4.max(x, splat(0.0))
    d = v128.and(f32x4.gt(x, splat(0.0)), one)
  } else if (kind == TANH) {
    y = tanh4(x)
    d = f32x4.sub(one, f32x4.mul(y, y))
  } else {
    y = sigmoid4(x)
    d = f32x4.mul(y, f32x4.sub(one, y))
  }
  storePart(out, y, count)
  storePart(slope, d, count)
}

@inline
function withSlope(kind: i32, out: usize, slope: usize, x: usize, size: i32): void {
  let i = size
  for (; i >= 8; i -= 8, out += 32, slope += 32, x += 32) {
    both(kind, out, slope, v128.load(x), 4)
    both(kind, out + 16, slope + 16, v128.load(x, 16), 4)
  }
  for (; i > 0; i -= 4, out += 16, slope += 16, x += 16) both(kind, out, slope, v128.load(x), i)
}

export function gelu(out: usize, x: usize, size: i32): void {
  forward(GELU, out, x, size)
}
export function geluTanh(out: usize, x: usize, size: i32): void {
  forward(GELU_TANH, out, x, size)
}
export function silu(out: usize, x: usize, size: i32): void {
  forward(SILU, out, x, size)
}
export function geluWithSlope(out: usize, slope: usize, x: usize, size: i32): void {
  withSlope(GELU, out, slope, x, size)
}
export function geluTanhWithSlope(out: usize, slope: usize, x: usize, size: i32): void {
  withSlope(GELU_TANH, out, slope, x, size)
}
export function siluWithSlope(out: usize, slope: usize, x: usize, size: i32): void {
  withSlope(SILU, out, slope, x, size)
}
export function reluWithSlope(out: usize, slope: usize, x: usize, size: i32): void {
  withSlope(RELU, out, slope, x, size)
}
export function tanhWithSlope(out: usize, slope: usize, x: usize, size: i32): void {
  withSlope(TANH, out, slope, x, size)
}
export function sigmoidWithSlope(out: usize, slope: usize, x: usize, size: i32): void {
  withSlope(SIGMOID, out, slope, x, size)
}
