/** Softmax along rows, its pullback, and cross-entropy. A row's bits depend on it alone (laws L1, A1, A2, A4, L8). */
import { expNegative4, log4 } from './functions'
import { rowDot, rowMax } from './reduce'
import { below, madd, splat, storePart, sumLanes } from './simd'

/** Stands for the maximum of a row that holds only -infinity. */
export const LOWEST: f32 = -3e38

@inline
function logOf(x: f32): f32 {
  return f32x4.extract_lane(log4(splat(x)), 0)
}

/** max(x), bounded below so that no difference of infinities arises. */
@inline
function rowPeak(x: usize, length: i32): f32 {
  return max<f32>(rowMax(x, length), LOWEST)
}

/** out = exp(x - peak), and its sum; `out` may be x. The sum's order depends on `length` alone. */
function rowExp(out: usize, x: usize, peak: f32, length: i32): f32 {
  const p = splat(peak)
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  let i = length
  for (; i >= 8; i -= 8, x += 32, out += 32) {
    const e0 = expNegative4(f32x4.sub(v128.load(x), p))
    const e1 = expNegative4(f32x4.sub(v128.load(x, 16), p))
    v128.store(out, e0)
    v128.store(out, e1, 16)
    s0 = f32x4.add(s0, e0)
    s1 = f32x4.add(s1, e1)
  }
  for (; i > 0; i -= 4, x += 16, out += 16) {
    const e = expNegative4(f32x4.sub(v128.load(x), p))
    storePart(out, e, i)
    s0 = f32x4.add(s0, v128.and(e, below(i)))
  }
  return sumLanes(f32x4.add(s0, s1))
}

/** Sum of exp(x - peak), in the same order as `rowExp`. */
function rowExpSum(x: usize, peak: f32, length: i32): f32 {
  const p = splat(peak)
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  let i = length
  for (; i >= 8; i -= 8, x += 32) {
    s0 = f32x4.add(s0, expNegative4(f32x4.sub(v128.load(x), p)))
    s1 = f32x4.add(s1, expNegative4(f32x4.sub(v128.load(x, 16), p)))
  }
  for (; i > 0; i -= 4, x += 16) s0 = f32x4.add(s0, v128.and(expNegative4(f32x4.sub(v128.load(x), p)), below(i)))
  return sumLanes(f32x4.add(s0, s1))
}

/** x = x * scale. */
function rowScale(x: usize, scale: f32, length: i32): void {
  const s = splat(scale)
  let i = length
  for (; i >= 4; i -= 4, x += 16) v128.store(x, f32x4.mul(v128.load(x), s))
  if (i > 0) storePart(x, f32x4.mul(v128.load(x), s), i)
}

export function softmax(out: usize, x: usize, rows: i32, columns: i32): void {
  const bytes = <usize>columns << 2
  for (let i = 0; i < rows; i++) {
    const sum = rowExp(out, x, rowPeak(x, columns), columns)
    // At least 1 wherever an entry is finite; a row of -infinity stays zero.
    rowScale(out, <f32>1.0 / max<f32>(sum, 1.0), columns)
    out += bytes
    x += bytes
  }
}

/** dx = y (dy - sum(dy y)). */
export function softmaxPullback(dx: usize, dy: usize, y: usize, rows: i32, columns: i32): void {
  const bytes = <usize>columns << 2
  for (let i = 0; i < rows; i++) {
    const s = splat(rowDot(dy, y, columns))
    for (let j = 0; j < columns; j += 4) {
      const at = <usize>j << 2
      storePart(dx + at, f32x4.mul(v128.load(y + at), f32x4.sub(v128.load(dy + at), s)), columns - j)
    }
    dx += bytes
    dy += bytes
    y += bytes
  }
}

/**
 * losses_i = logSumExp_i - (1 - s) logits_i,target - s mean(logits_i), s the label smoothing; 0 where the target is
 * ignoreIndex.
 */
export function crossEntropy(
  losses: usize, logSumExp: usize, logits: usize, targets: usize,
  ignoreIndex: i32, smoothing: f32, rows: i32, columns: i32,
): void {
  const share = smoothing / <f32>columns
  for (let i = 0; i < rows; i++) {
    const at = <usize>i << 2
    const peak = rowPeak(logits, columns)
    const logSum = logOf(max<f32>(rowExpSum(logits, peak, columns), 1.0))
    f32.store(logSumExp + at, peak + logSum)
    const target = load<i32>(targets + at)
    let loss: f32 = 0.0
    if (target != ignoreIndex) {
      // Relative to the peak nothing large cancels.
      loss = logSum - (<f32>1.0 - smoothing) * (f32.load(logits + (<usize>target << 2)) - peak)
      if (smoothing != 0.0) loss -= share * centredSum(logits, peak, columns)
    }
    f32.store(losses + at, loss)
    logits += <usize>columns << 2
  }
}

function centredSum(x: usize, centre: f32, length: i32): f32 {
  const c = splat(centre)
  let s = splat(0.0)
  for (let i = length; i > 0; i -= 4, x += 16) {
    s = f32x4.add(s, v128.and(f32x4.sub(v128.load(x), c), below(i)))
  }
  return sumLanes(s)
}

/** dLogits_ij = dLosses_i (exp(logits_ij - logSumExp_i) - (1 - s) [j = target_i] - s / columns). */
export function crossEntropyPullback(
  dLogits: usize, dLosses: usize, logits: usize, logSumExp: usize, targets: usize,
  ignoreIndex: i32, smoothing: f32, rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2
  const share = smoothing / <f32>columns
  for (let i = 0; i < rows; i++) {
    const at = <usize>i << 2
    const target = load<i32>(targets + at)
    if (target == ignoreIndex) {
      memory.fill(dLogits, 0, bytes)
    } else {
      const dLoss = f32.load(dLosses + at)
      const lse = splat(f32.load(logSumExp + at))
      const d = splat(dLoss)
      const rest = splat(-share * dLoss)
      for (let j = 0; j < columns; j += 4) {
        const a = <usize>j << 2
        storePart(dLogits + a, madd(expNegative4(f32x4.sub(v128.load(logits + a), lse)), d, rest), columns - j)
      }
      const hit = dLogits + (<usize>target << 2)
      f32.store(hit, f32.load(hit) - (<f32>1.0 - smoothing) * dLoss)
    }
    dLogits += bytes
    logits += bytes
  }
}
