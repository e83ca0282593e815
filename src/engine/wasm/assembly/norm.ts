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

/** (x - mean) deviation. */
@inline
function normal(x: usize, mean: v128, deviation: v128): v128 {
  return f32x4.mul(f32x4.sub(v128.load(x), mean), deviation)
}

/** v weight, v where there is none. */
@inline
function weighted(v: v128, weight: usize, at: usize): v128 {
  return weight != 0 ? f32x4.mul(v, v128.load(weight + at)) : v
}

@inline
function shifted(v: v128, bias: usize, at: usize): v128 {
  return bias != 0 ? f32x4.add(v, v128.load(bias + at)) : v
}

@inline
function affine(out: usize, x: usize, mean: v128, deviation: v128, weight: usize, bias: usize, columns: i32): void {
  const whole = <usize>(columns & ~3) << 2
  let at: usize = 0
  for (; at < whole; at += 16) {
    v128.store(out + at, shifted(weighted(normal(x + at, mean, deviation), weight, at), bias, at))
  }
  storePart(out + at, shifted(weighted(normal(x + at, mean, deviation), weight, at), bias, at), columns & 3)
}

/**
 * The pullback of both, blocks `first` to `end` of `block` rows each; mean 0: not centred. With n = (x - mean) deviation and g = dy weight:
 * dx = (g - mean(g) - n mean(g n)) deviation, without mean(g) where not centred. A block's sums of dy n and of dy over its rows go into its row
 * of dWeights and dBiases (0: absent), to be added up over blocks.
 */
export function normPullback(
  dx: usize, dWeights: usize, dBiases: usize, dy: usize, x: usize, weight: usize, mean: usize, deviation: usize,
  rows: i32, columns: i32, block: i32, first: i32, end: i32,
): void {
  const bytes = <usize>columns << 2
  for (let b = first; b < end; b++) {
    const dWeight = dWeights != 0 ? dWeights + <usize>b * bytes : 0
    const dBias = dBiases != 0 ? dBiases + <usize>b * bytes : 0
    if (dWeight != 0) memory.fill(dWeight, 0, bytes)
    if (dBias != 0) memory.fill(dBias, 0, bytes)
    const behind = min(rows, (b + 1) * block)
    for (let i = b * block; i < behind; i++) {
      const row = <usize>i * bytes
      const m = mean != 0 ? v128.load32_splat(mean + (<usize>i << 2)) : splat(0.0)
      const d = v128.load32_splat(deviation + (<usize>i << 2))
      pullRow(dx + row, dWeight, dBias, dy + row, x + row, weight, m, d, mean != 0, columns)
    }
  }
}

/** dWeight and dBias take part of a row into their sums, n and dy, `count` numbers. */
@inline
function collect(dWeight: usize, dBias: usize, at: usize, dy: v128, n: v128, count: i32): void {
  if (dWeight != 0) storePart(dWeight + at, madd(dy, n, v128.load(dWeight + at)), count)
  if (dBias != 0) storePart(dBias + at, f32x4.add(dy, v128.load(dBias + at)), count)
}

/** (g - mean(g) - n mean(g n)) deviation. */
@inline
function pulled(g: v128, n: v128, meanG: v128, meanGN: v128, deviation: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(n, meanGN)), deviation)
}

function pullRow(
  dx: usize, dWeight: usize, dBias: usize, dy: usize, x: usize, weight: usize, mean: v128, deviation: v128,
  centres: bool, columns: i32,
): void {
  let g0 = splat(0.0)
  let g1 = splat(0.0)
  let gn0 = splat(0.0)
  let gn1 = splat(0.0)
  let at: usize = 0
  // Two sums each, so that one addition need not wait for the last.
  for (let pairs = columns >> 3; pairs > 0; pairs--, at += 32) {
    const n = normal(x + at, mean, deviation)
    const m = normal(x + at + 16, mean, deviation)
    const d = v128.load(dy + at)
    const e = v128.load(dy + at, 16)
    collect(dWeight, dBias, at, d, n, 4)
    collect(dWeight, dBias, at + 16, e, m, 4)
    const g = weighted(d, weight, at)
    const h = weighted(e, weight, at + 16)
    g0 = f32x4.add(g0, g)
    g1 = f32x4.add(g1, h)
    gn0 = madd(g, n, gn0)
    gn1 = madd(h, m, gn1)
  }
  for (let left = columns & 7; left > 0; left -= 4, at += 16) {
    const n = v128.and(normal(x + at, mean, deviation), below(left))
    const d = v128.load(dy + at)
    collect(dWeight, dBias, at, d, n, left)
    const g = v128.and(weighted(d, weight, at), below(left))
    g0 = f32x4.add(g0, g)
    gn0 = madd(g, n, gn0)
  }
  const share = <f32>1.0 / <f32>columns
  const meanG = splat(centres ? sumLanes(f32x4.add(g0, g1)) * share : 0.0)
  const meanGN = splat(sumLanes(f32x4.add(gn0, gn1)) * share)
  const whole = <usize>(columns & ~3) << 2
  for (at = 0; at < whole; at += 16) {
    const g = weighted(v128.load(dy + at), weight, at)
    v128.store(dx + at, pulled(g, normal(x + at, mean, deviation), meanG, meanGN, deviation))
  }
  const g = weighted(v128.load(dy + at), weight, at)
  storePart(dx + at, pulled(g, normal(x + at, mean, deviation), meanG, meanGN, deviation), columns & 3)
}
