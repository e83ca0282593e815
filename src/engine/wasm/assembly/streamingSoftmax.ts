/**
 * The softmax of `attention` as it streams along the keys: each query holds the peak of its scores so far and the sum of the weights relative
 * to it; blocks of keys join as o = o exp(peak before - peak) + values. Milakov & Gimelshein, arXiv 1805.02867.
 */
import { exp2Negative4, log4 } from './functions'
import { below, madd, splat, storePart, sumLanes } from './simd'
import { LOWEST } from './softmax'

/** Queries and keys of a block: its operands stay in the second-level cache, its scores in the first. */
export const QUERIES: i32 = 128
export const KEYS: i32 = 128
/** Bytes of a row of scores: room to zero what a tile looks past a row's last key, and an odd number of half lines. */
export const STRIP: usize = <usize>(KEYS + 8) << 2
/** Where in it there is room for what the row's weights shrink by. */
export const SHRINK: usize = <usize>(KEYS + 7) << 2
/** Bytes from the peaks of a block's queries to their sums. */
const SUMS: usize = <usize>QUERIES << 2
export const LOG2_E: f32 = 1.44269504088896341
const LN_2: f32 = 0.693147180559945309

/**
 * Scores of `length` keys become weights relative to the highest so far, zeros behind them; returns by what weights
 * before them shrink. `state` is that peak, of scores times scale log2 e, and, SUMS bytes on, the sum of weights.
 */
export function absorb(scores: usize, state: usize, scale: f32, length: i32): f32 {
  const s = splat(scale * LOG2_E)
  const before = f32.load(state)
  let m0 = splat(before)
  let m1 = m0
  let x = scores
  let i = length
  for (; i >= 8; i -= 8, x += 32) {
    m0 = f32x4.pmax(m0, f32x4.mul(v128.load(x), s))
    m1 = f32x4.pmax(m1, f32x4.mul(v128.load(x, 16), s))
  }
  for (; i > 0; i -= 4, x += 16) {
    m0 = f32x4.pmax(m0, v128.bitselect(f32x4.mul(v128.load(x), s), splat(before), below(i)))
  }
  m0 = f32x4.pmax(m0, m1)
  m0 = f32x4.pmax(m0, v128.shuffle<f32>(m0, m0, 2, 3, 0, 1))
  m0 = f32x4.pmax(m0, v128.shuffle<f32>(m0, m0, 1, 0, 3, 2))
  const peak = f32x4.extract_lane(m0, 0)
  const centre = f32x4.neg(m0)
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  x = scores
  i = length
  for (; i >= 8; i -= 8, x += 32) {
    const e0 = exp2Negative4(madd(v128.load(x), s, centre))
    const e1 = exp2Negative4(madd(v128.load(x, 16), s, centre))
    v128.store(x, e0)
    v128.store(x, e1, 16)
    s0 = f32x4.add(s0, e0)
    s1 = f32x4.add(s1, e1)
  }
  for (; i > 0; i -= 4, x += 16) {
    const e = v128.and(exp2Negative4(madd(v128.load(x), s, centre)), below(i))
    v128.store(x, e)
    s0 = f32x4.add(s0, e)
  }
  v128.store(x, splat(0.0))
  v128.store(x, splat(0.0), 16)
  f32.store(state, peak)
  const sum = sumLanes(f32x4.add(s0, s1))
  if (before == LOWEST) {
    f32.store(state, sum, SUMS)
    return 0.0
  }
  const shrink = f32x4.extract_lane(exp2Negative4(splat(before - peak)), 0)
  f32.store(state, f32.load(state, SUMS) * shrink + sum, SUMS)
  return shrink
}

/** out = out * shrink + values. */
export function join(out: usize, values: usize, shrink: f32, width: i32): void {
  const s = splat(shrink)
  let i = width
  for (; i >= 4; i -= 4, out += 16, values += 16) v128.store(out, madd(v128.load(out), s, v128.load(values)))
  if (i > 0) storePart(out, madd(v128.load(out), s, v128.load(values)), i)
}

/** No keys yet. */
@inline
export function begin(states: usize, rows: i32): void {
  for (let r = 0; r < rows; r += 4) {
    const at = states + (<usize>r << 2)
    v128.store(at, splat(LOWEST))
    v128.store(at, splat(0.0), SUMS)
  }
}

/** Rows of out = out / sum of weights, no zero of it negative; 0 where no key counts. */
@inline
export function finish(out: usize, stride: usize, logSumExp: usize, states: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r += 4) {
    const at = states + (<usize>r << 2)
    const sums = v128.load(at, SUMS)
    storePart(logSumExp + (<usize>r << 2), madd(v128.load(at), splat(LN_2), log4(sums)), rows - r)
    v128.store(at, v128.andnot(f32x4.div(splat(1.0), sums), f32x4.eq(sums, splat(0.0))), SUMS)
  }
  for (let r = 0; r < rows; r++, out += stride) {
    const share = v128.load32_splat(states + (<usize>r << 2), SUMS)
    let to = out
    for (let i = width; i > 0; i -= 4, to += 16) {
      storePart(to, f32x4.add(f32x4.mul(v128.load(to), share), splat(0.0)), i)
    }
  }
}
