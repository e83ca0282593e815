/**
 * Normalisation of groups of channels over planes and its pullback. A row is one group of one image: `channels` planes of
 * `positions` numbers, one after the other; its bits depend on it alone.
 */
import { squares } from './norm'
import { rowSum } from './reduce'
import { below, madd, splat, storePart, sumLanes } from './simd'

/** Rows `first` to `end` of out = (x - mean) deviation weight + bias; a mean and a deviation a row. */
export function groupNorm(
  out: usize, mean: usize, deviation: usize, x: usize, weight: usize, bias: usize, epsilon: f32,
  groups: i32, channels: i32, positions: i32, first: i32, end: i32,
): void {
  const length = channels * positions
  const plane = <usize>positions << 2
  const share = <f32>1.0 / <f32>length
  let at = <usize>(first * length) << 2
  for (let i = first; i < end; i++) {
    const m = rowSum(x + at, length) * share
    const d = <f32>1.0 / sqrt<f32>(squares(x + at, m, length) * share + epsilon)
    f32.store(mean + (<usize>i << 2), m)
    f32.store(deviation + (<usize>i << 2), d)
    const middle = splat(m)
    const scale = splat(d)
    let parameter = <usize>((i % groups) * channels) << 2
    for (let c = 0; c < channels; c++, at += plane, parameter += 4) {
      const w = v128.load32_splat(weight + parameter)
      const b = v128.load32_splat(bias + parameter)
      let here = at
      let left = positions
      for (; left >= 8; left -= 8, here += 32) {
        const p = f32x4.mul(f32x4.sub(v128.load(x + here), middle), scale)
        const q = f32x4.mul(f32x4.sub(v128.load(x + here, 16), middle), scale)
        v128.store(out + here, madd(p, w, b))
        v128.store(out + here, madd(q, w, b), 16)
      }
      for (; left > 0; left -= 4, here += 16) {
        const normal = f32x4.mul(f32x4.sub(v128.load(x + here), middle), scale)
        storePart(out + here, madd(normal, w, b), left)
      }
    }
  }
}

/** Sum of y (x - centre). */
function centredDot(y: usize, x: usize, centre: f32, length: i32): f32 {
  const c = splat(centre)
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  let i = length
  for (; i >= 8; i -= 8, x += 32, y += 32) {
    s0 = madd(v128.load(y), f32x4.sub(v128.load(x), c), s0)
    s1 = madd(v128.load(y, 16), f32x4.sub(v128.load(x, 16), c), s1)
  }
  for (; i > 0; i -= 4, x += 16, y += 16) {
    const mask = below(i)
    s0 = madd(v128.and(v128.load(y), mask), v128.and(f32x4.sub(v128.load(x), c), mask), s0)
  }
  return sumLanes(f32x4.add(s0, s1))
}

@inline
function pulled(x: v128, dy: v128, w: v128, mean: v128, deviation: v128, meanG: v128, meanGN: v128): v128 {
  const normal = f32x4.mul(f32x4.sub(x, mean), deviation)
  const rest = f32x4.sub(f32x4.sub(f32x4.mul(dy, w), meanG), f32x4.mul(normal, meanGN))
  return f32x4.mul(rest, deviation)
}

/**
 * Rows `first` to `end`. With n = (x - mean) deviation and g = dy weight: dx = (g - mean(g) - n mean(g n)) deviation over a row; sums of
 * dy n and of dy a channel of each image, to be added up over images.
 */
export function groupNormPullback(
  dx: usize, dWeights: usize, dBiases: usize, dy: usize, x: usize, weight: usize, mean: usize, deviation: usize,
  groups: i32, channels: i32, positions: i32, first: i32, end: i32,
): void {
  const length = channels * positions
  const plane = <usize>positions << 2
  const share = <f32>1.0 / <f32>length
  for (let i = first; i < end; i++) {
    const row = <usize>(i * length) << 2
    const m = f32.load(mean + (<usize>i << 2))
    const d = f32.load(deviation + (<usize>i << 2))
    const parameters = weight + (<usize>((i % groups) * channels) << 2)
    const sums = <usize>(i * channels) << 2
    let sumG: f32 = 0.0
    let sumGN: f32 = 0.0
    let at = row
    for (let c = 0; c < channels; c++, at += plane) {
      const w = f32.load(parameters + (<usize>c << 2))
      // A plane without positions has no statistics either.
      const along = positions > 0 ? centredDot(dy + at, x + at, m, positions) * d : <f32>0.0
      const whole = rowSum(dy + at, positions)
      f32.store(dWeights + sums + (<usize>c << 2), along)
      f32.store(dBiases + sums + (<usize>c << 2), whole)
      sumG += w * whole
      sumGN += w * along
    }
    const middle = splat(m)
    const scale = splat(d)
    const meanG = splat(sumG * share)
    const meanGN = splat(sumGN * share)
    at = row
    for (let c = 0; c < channels; c++, at += plane) {
      const w = v128.load32_splat(parameters + (<usize>c << 2))
      let here = at
      let left = positions
      for (; left >= 4; left -= 4, here += 16) {
        v128.store(dx + here, pulled(v128.load(x + here), v128.load(dy + here), w, middle, scale, meanG, meanGN))
      }
      storePart(dx + here, pulled(v128.load(x + here), v128.load(dy + here), w, middle, scale, meanG, meanGN), left)
    }
  }
}
