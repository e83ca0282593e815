/** Unary and binary primitives. One exported function an operation, named as in the engine's interface. */
import { erf4, exp4, log4, sigmoid4, tanh4 } from './functions'
import { loadStrided, madd, splat, storePart } from './simd'

const NEGATE = 0
const EXP = 1
const LOG = 2
const SQRT = 3
const RECIPROCAL_SQRT = 4
const RECIPROCAL = 5
const TANH = 6
const SIGMOID = 7
const ERF = 8
const RELU = 9
const SQUARE = 10
const ABS = 11
const STEP = 12
const ROUND = 13

@inline
function applyUnary(op: i32, x: v128): v128 {
  if (op == NEGATE) return f32x4.neg(x)
  if (op == EXP) return exp4(x)
  if (op == LOG) return log4(x)
  if (op == SQRT) return f32x4.sqrt(x)
  if (op == RECIPROCAL_SQRT) return f32x4.div(splat(1.0), f32x4.sqrt(x))
  if (op == RECIPROCAL) return f32x4.div(splat(1.0), x)
  if (op == TANH) return tanh4(x)
  if (op == SIGMOID) return sigmoid4(x)
  if (op == ERF) return erf4(x)
  if (op == RELU) return f32x4.max(x, splat(0.0))
  if (op == SQUARE) return f32x4.mul(x, x)
  if (op == ABS) return f32x4.abs(x)
  if (op == ROUND) return f32x4.nearest(x)
  return v128.and(f32x4.gt(x, splat(0.0)), splat(1.0))
}

@inline
function map(op: i32, out: usize, x: usize, size: i32): void {
  let i = size
  while (i >= 4) {
    v128.store(out, applyUnary(op, v128.load(x)))
    out += 16
    x += 16
    i -= 4
  }
  if (i > 0) storePart(out, applyUnary(op, v128.load(x)), i)
}

export function negate(out: usize, x: usize, size: i32): void {
  map(NEGATE, out, x, size)
}
export function exp(out: usize, x: usize, size: i32): void {
  map(EXP, out, x, size)
}
export function log(out: usize, x: usize, size: i32): void {
  map(LOG, out, x, size)
}
export function sqrt(out: usize, x: usize, size: i32): void {
  map(SQRT, out, x, size)
}
export function reciprocalSqrt(out: usize, x: usize, size: i32): void {
  map(RECIPROCAL_SQRT, out, x, size)
}
export function reciprocal(out: usize, x: usize, size: i32): void {
  map(RECIPROCAL, out, x, size)
}
export function tanh(out: usize, x: usize, size: i32): void {
  map(TANH, out, x, size)
}
export function sigmoid(out: usize, x: usize, size: i32): void {
  map(SIGMOID, out, x, size)
}
export function erf(out: usize, x: usize, size: i32): void {
  map(ERF, out, x, size)
}
export function relu(out: usize, x: usize, size: i32): void {
  map(RELU, out, x, size)
}
export function square(out: usize, x: usize, size: i32): void {
  map(SQUARE, out, x, size)
}
export function abs(out: usize, x: usize, size: i32): void {
  map(ABS, out, x, size)
}
export function step(out: usize, x: usize, size: i32): void {
  map(STEP, out, x, size)
}
export function round(out: usize, x: usize, size: i32): void {
  map(ROUND, out, x, size)
}

const ADD = 0
const SUBTRACT = 1
const MULTIPLY = 2
const DIVIDE = 3
const MAXIMUM = 4
const MINIMUM = 5
const GREATER_EQUAL = 6

@inline
function applyBinary(op: i32, x: v128, y: v128): v128 {
  if (op == ADD) return f32x4.add(x, y)
  if (op == SUBTRACT) return f32x4.sub(x, y)
  if (op == MULTIPLY) return f32x4.mul(x, y)
  if (op == DIVIDE) return f32x4.div(x, y)
  if (op == MAXIMUM) return f32x4.max(x, y)
  if (op == MINIMUM) return f32x4.min(x, y)
  return v128.and(f32x4.ge(x, y), splat(1.0))
}

/** out (outer, inner) dense; operands by strides in elements. Inner strides 1 and 0 are vector loads. */
@inline
function zip(
  op: i32, out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  const bytes = <usize>inner << 2
  for (let row = 0; row < outer; row++) {
    let to = out
    let a = x
    let b = y
    let i = inner
    if (xInner == 1 && yInner == 1) {
      for (; i >= 4; i -= 4, to += 16, a += 16, b += 16) v128.store(to, applyBinary(op, v128.load(a), v128.load(b)))
      if (i > 0) storePart(to, applyBinary(op, v128.load(a), v128.load(b)), i)
    } else if (xInner == 1 && yInner == 0) {
      const same = v128.load32_splat(b)
      for (; i >= 4; i -= 4, to += 16, a += 16) v128.store(to, applyBinary(op, v128.load(a), same))
      if (i > 0) storePart(to, applyBinary(op, v128.load(a), same), i)
    } else if (xInner == 0 && yInner == 1) {
      const same = v128.load32_splat(a)
      for (; i >= 4; i -= 4, to += 16, b += 16) v128.store(to, applyBinary(op, same, v128.load(b)))
      if (i > 0) storePart(to, applyBinary(op, same, v128.load(b)), i)
    } else {
      const xStep = <usize>xInner << 2
      const yStep = <usize>yInner << 2
      for (; i > 0; i -= 4, to += 16, a += 4 * xStep, b += 4 * yStep) {
        storePart(to, applyBinary(op, loadStrided(a, xStep, i), loadStrided(b, yStep, i)), i)
      }
    }
    out += bytes
    x += <usize>xOuter << 2
    y += <usize>yOuter << 2
  }
}

export function add(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(ADD, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}
export function subtract(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(SUBTRACT, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}
export function multiply(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(MULTIPLY, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}
export function divide(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(DIVIDE, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}
export function maximum(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(MAXIMUM, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}
export function minimum(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(MINIMUM, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}
export function greaterEqual(
  out: usize, x: usize, xOuter: i32, xInner: i32, y: usize, yOuter: i32, yInner: i32, outer: i32, inner: i32,
): void {
  zip(GREATER_EQUAL, out, x, xOuter, xInner, y, yOuter, yInner, outer, inner)
}

/** out += x * scale. */
export function accumulate(out: usize, x: usize, scale: f32, size: i32): void {
  const s = splat(scale)
  let i = size
  for (; i >= 4; i -= 4, out += 16, x += 16) v128.store(out, madd(v128.load(x), s, v128.load(out)))
  if (i > 0) storePart(out, madd(v128.load(x), s, v128.load(out)), i)
}
