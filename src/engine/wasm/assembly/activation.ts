/**
 * Activations and their pullbacks, named `<kind>` and `<kind>Pullback`. gelu: Hendrycks & Gimpel, arXiv 1606.08415.
 * Law N8.
 */
import { gaussian4, normalCdf4, sigmoid4, tanh4 } from './functions'
import { madd, splat, storePart } from './simd'

const GELU = 0
const GELU_TANH = 1
const SILU = 2
const RELU = 3
const TANH = 4
const SIGMOID = 5

const SQRT_2_OVER_PI: f32 = 0.79788456080286536
const CUBIC: f32 = 0.044715

/** (1 + tanh u) / 2 = sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3). */
// @ts-ignore: decorator
@inline
function sigmoidOfCubic(x: v128): v128 {
  const cubic = madd(f32x4.mul(f32x4.mul(x, x), splat(CUBIC)), x, x)
  return sigmoid4(f32x4.mul(cubic, splat(2.0 * SQRT_2_OVER_PI)))
}

// @ts-ignore: decorator
@inline
function value(kind: i32, x: v128): v128 {
  if (kind == GELU) return f32x4.mul(x, normalCdf4(x, gaussian4(x)))
  if (kind == GELU_TANH) return f32x4.mul(x, sigmoidOfCubic(x))
  return f32x4.mul(x, sigmoid4(x))
}

// @ts-ignore: decorator
@inline
function derivative(kind: i32, x: v128): v128 {
  const one = splat(1.0)
  if (kind == GELU) {
    const gaussian = gaussian4(x)
    return madd(f32x4.mul(x, splat(0.39894228040143268)), gaussian, normalCdf4(x, gaussian))
  }
  if (kind == GELU_TANH) {
    const y = sigmoidOfCubic(x)
    const slope = madd(f32x4.mul(x, x), splat(6.0 * CUBIC * SQRT_2_OVER_PI), splat(2.0 * SQRT_2_OVER_PI))
    return f32x4.mul(y, madd(f32x4.mul(x, f32x4.sub(one, y)), slope, one))
  }
  if (kind == SILU) {
    const s = sigmoid4(x)
    return f32x4.mul(s, madd(x, f32x4.sub(one, s), one))
  }
  if (kind == RELU) return v128.and(f32x4.gt(x, splat(0.0)), one)
  if (kind == TANH) {
    const t = tanh4(x)
    return f32x4.sub(one, f32x4.mul(t, t))
  }
  const s = sigmoid4(x)
  return f32x4.mul(s, f32x4.sub(one, s))
}

// @ts-ignore: decorator
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

// @ts-ignore: decorator
@inline
function pull(kind: i32, dx: usize, dy: usize, x: usize, size: i32): void {
  let i = size
  for (; i >= 8; i -= 8, dx += 32, dy += 32, x += 32) {
    const u = f32x4.mul(derivative(kind, v128.load(x)), v128.load(dy))
    const v = f32x4.mul(derivative(kind, v128.load(x, 16)), v128.load(dy, 16))
    v128.store(dx, u)
    v128.store(dx, v, 16)
  }
  for (; i >= 4; i -= 4, dx += 16, dy += 16, x += 16) {
    v128.store(dx, f32x4.mul(derivative(kind, v128.load(x)), v128.load(dy)))
  }
  if (i > 0) storePart(dx, f32x4.mul(derivative(kind, v128.load(x)), v128.load(dy)), i)
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
export function geluPullback(dx: usize, dy: usize, x: usize, size: i32): void {
  pull(GELU, dx, dy, x, size)
}
export function geluTanhPullback(dx: usize, dy: usize, x: usize, size: i32): void {
  pull(GELU_TANH, dx, dy, x, size)
}
export function siluPullback(dx: usize, dy: usize, x: usize, size: i32): void {
  pull(SILU, dx, dy, x, size)
}
export function reluPullback(dx: usize, dy: usize, x: usize, size: i32): void {
  pull(RELU, dx, dy, x, size)
}
export function tanhPullback(dx: usize, dy: usize, x: usize, size: i32): void {
  pull(TANH, dx, dy, x, size)
}
export function sigmoidPullback(dx: usize, dy: usize, x: usize, size: i32): void {
  pull(SIGMOID, dx, dy, x, size)
}
