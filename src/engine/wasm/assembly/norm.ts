/**
 * layerNorm and rmsNorm along rows, and their pullbacks. Weight or bias 0: absent. Laws N1, N2, N4; a row's bits
 * depend on it alone (L1).
 */
import { rowSum } from './reduce'
import { below, madd, splat, storePart, sumLanes } from './simd'

/** Sum of (x - centre)^2. */
export function squares(x: usize, centre: f32, length: i32): f32 {
  const c = splat(centre)
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  let s2 = splat(0.0)
  let s3 = splat(0.0)
  let i = length
  for (; i >= 16; i -= 16, x += 64) {
    const d0 = f32x4.sub(v128.load(x), c)
    const d1 = f32x4.sub(v128.load(x, 16), c)
    const d2 = f32x4.sub(v128.load(x, 32), c)
    const d3 = f32x4.sub(v128.load(x, 48), c)
    s0 = madd(d0, d0, s0)
    s1 = madd(d1, d1, s1)
    s2 = madd(d2, d2, s2)
    s3 = madd(d3, d3, s3)
  }
  for (; i > 0; i -= 4, x += 16) {
    const d = v128.and(f32x4.sub(v128.load(x), c), below(i))
    s0 = madd(d, d, s0)
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
}

/** out = (x - mean) deviation weight + bias; one stored statistic a row each. */
export function layerNorm(
  out: usize, mean: usize, deviation: usize, x: usize, weight: usize, bias: usize,
  epsilon: f32, rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2
  const share = <f32>1.0 / <f32>columns
  for (let i = 0; i < rows; i++) {
    const m = rowSum(x, columns) * share
    const d = <f32>1.0 / sqrt<f32>(squares(x, m, columns) * share + epsilon)
    f32.store(mean + (<usize>i << 2), m)
    f32.store(deviation + (<usize>i << 2), d)
    affine(out, x, splat(m), splat(d), weight, bias, columns)
    out += bytes
    x += bytes
  }
}

export function rmsNorm(
  out: usize, deviation: usize, x: usize, weight: usize, epsilon: f32, rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2
  const share = <f32>1.0 / <f32>columns
  for (let i = 0; i < rows; i++) {
    const d = <f32>1.0 / sqrt<f32>(squares(x, 0.0, columns) * share + epsilon)
    f32.store(deviation + (<usize>i << 2), d)
    affine(out, x, splat(0.0), splat(d), weight, 0, columns)
    out += bytes
    x += bytes
  }
}

// @ts-ignore: decorator
@inline
function affine(out: usize, x: usize, mean: v128, deviation: v128, weight: usize, bias: usize, columns: i32): void {
  for (let j = 0; j < columns; j += 4) {
    const at = <usize>j << 2
    let y = f32x4.mul(f32x4.sub(v128.load(x + at), mean), deviation)
    if (weight != 0) y = f32x4.mul(y, v128.load(weight + at))
    if (bias != 0) y = f32x4.add(y, v128.load(bias + at))
    storePart(out + at, y, columns - j)
  }
}

/**
 * With n = (x - mean) deviation and g = dy weight: dx = (g - mean(g) - n mean(g n)) deviation; dWeight = sum of dy n,
 * dBias = sum of dy over rows, in ascending order.
 */
export function layerNormPullback(
  dx: usize, dWeight: usize, dBias: usize, dy: usize, x: usize, weight: usize, mean: usize, deviation: usize,
  rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2
  if (dWeight != 0) memory.fill(dWeight, 0, bytes)
  if (dBias != 0) memory.fill(dBias, 0, bytes)
  for (let i = 0; i < rows; i++) {
    pullRow(
      dx, dWeight, dBias, dy, x, weight, splat(f32.load(mean + (<usize>i << 2))),
      splat(f32.load(deviation + (<usize>i << 2))), true, columns,
    )
    dx += bytes
    dy += bytes
    x += bytes
  }
}

export function rmsNormPullback(
  dx: usize, dWeight: usize, dy: usize, x: usize, weight: usize, deviation: usize, rows: i32, columns: i32,
): void {
  const bytes = <usize>columns << 2
  if (dWeight != 0) memory.fill(dWeight, 0, bytes)
  for (let i = 0; i < rows; i++) {
    pullRow(dx, dWeight, 0, dy, x, weight, splat(0.0), splat(f32.load(deviation + (<usize>i << 2))), false, columns)
    dx += bytes
    dy += bytes
    x += bytes
  }
}

function pullRow(
  dx: usize, dWeight: usize, dBias: usize, dy: usize, x: usize, weight: usize, mean: v128, deviation: v128,
  centres: bool, columns: i32,
): void {
  let sumG = splat(0.0)
  let sumGN = splat(0.0)
  let j = 0
  for (; j < columns; j += 4) {
    const at = <usize>j << 2
    const left = columns - j
    const n = f32x4.mul(f32x4.sub(v128.load(x + at), mean), deviation)
    const d = v128.load(dy + at)
    let g = d
    if (weight != 0) g = f32x4.mul(g, v128.load(weight + at))
    if (left < 4) g = v128.and(g, below(left))
    sumG = f32x4.add(sumG, g)
    sumGN = madd(g, left < 4 ? v128.and(n, below(left)) : n, sumGN)
    if (dWeight != 0) storePart(dWeight + at, madd(d, n, v128.load(dWeight + at)), left)
    if (dBias != 0) storePart(dBias + at, f32x4.add(d, v128.load(dBias + at)), left)
  }
  const share = <f32>1.0 / <f32>columns
  const meanG = splat(centres ? sumLanes(sumG) * share : 0.0)
  const meanGN = splat(sumLanes(sumGN) * share)
  for (j = 0; j < columns; j += 4) {
    const at = <usize>j << 2
    const n = f32x4.mul(f32x4.sub(v128.load(x + at), mean), deviation)
    let g = v128.load(dy + at)
    if (weight != 0) g = f32x4.mul(g, v128.load(weight + at))
    const rest = f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(n, meanGN))
    storePart(dx + at, f32x4.mul(rest, deviation), columns - j)
  }
}

/**
 * dWeight and dBias alone (0: absent; mean 0: not centred), columns `first` to `end`: the chains of the pullbacks above, which with no
 * dWeight and no dBias split by rows.
 */
export function normWeightPullback(
  dWeight: usize, dBias: usize, dy: usize, x: usize, mean: usize, deviation: usize,
  rows: i32, columns: i32, first: i32, end: i32,
): void {
  const bytes = <usize>columns << 2
  for (let j = first; j < end; j += 8) {
    const at = <usize>j << 2
    const left = end - j
    let w0 = splat(0.0)
    let w1 = splat(0.0)
    let b0 = splat(0.0)
    let b1 = splat(0.0)
    let d = dy + at
    let v = x + at
    for (let i = 0; i < rows; i++, d += bytes, v += bytes) {
      const m = mean != 0 ? v128.load32_splat(mean + (<usize>i << 2)) : splat(0.0)
      const s = v128.load32_splat(deviation + (<usize>i << 2))
      const d0 = v128.load(d)
      const d1 = v128.load(d, 16)
      w0 = madd(d0, f32x4.mul(f32x4.sub(v128.load(v), m), s), w0)
      w1 = madd(d1, f32x4.mul(f32x4.sub(v128.load(v, 16), m), s), w1)
      b0 = f32x4.add(d0, b0)
      b1 = f32x4.add(d1, b1)
    }
    if (dWeight != 0) {
      storePart(dWeight + at, w0, left)
      storePart(dWeight + at + 16, w1, left - 4)
    }
    if (dBias != 0) {
      storePart(dBias + at, b0, left)
      storePart(dBias + at + 16, b1, left - 4)
    }
  }
}
