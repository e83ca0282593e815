/**
 * Scaled dot-product attention, a block of queries at a time: scores, softmax, weighted values.
 * Vaswani et al., arXiv 1706.03762, eq. 1. Query head h reads key-value head h / (heads / keyValueHeads).
 * query, out (batch, queries, heads * width); key, value (batch, capacity, keyValueHeads * width);
 * logSumExp (batch, heads, queries). Causal query i sees keys 0 .. i + keys - queries.
 * A query's bits depend on its own keys alone (laws L4, A3, A8): its scores and values are the ascending chains of
 * `tile`, the sum of its softmax has an order that depends on how many keys it sees.
 */
import { block } from './gemm'
import { gemvColumns, gemvRows } from './gemv'
import { packColumns, packRows, panelBytes } from './pack'
import { rowDot } from './reduce'
import { expNegative4 } from './functions'
import { logOf, rowExp, rowScale } from './softmax'
import { below, clear, maxLanes, splat, storePart } from './simd'
import { ROWS, SPARE } from './tile'

/** Queries of a block. */
const QUERIES: i32 = 15
/** Keys whose gradients are formed together. */
const KEYS: i32 = 15
/** Up to here each query is a product of its own with keys and values unpacked. */
const FEW_QUERIES: i32 = 3
const LOWEST: f32 = -3e38

// @ts-ignore: decorator
@inline
function padded(length: i32): usize {
  return <usize>((length + 7) & ~7)
}

/** Bytes of a row of weights: an odd number of cache lines, so that a column does not fall into one set of the cache. */
// @ts-ignore: decorator
@inline
function weightStride(keys: i32): usize {
  return <usize>(((keys + 31) & ~31) + 16) << 2
}

/** Bytes of scratch memory of `attention`. */
export function attentionScratch(queries: i32, keys: i32, width: i32): usize {
  const strip = (padded(keys) * <usize>min(queries, QUERIES)) << 2
  return panelBytes(width, keys) + panelBytes(keys, width) + strip + SPARE + 64
}

/** Bytes of scratch memory of `attentionPullback`. */
export function attentionPullbackScratch(queries: i32, keys: i32, width: i32): usize {
  const keyPanels = <usize>2 * panelBytes(width, keys) + panelBytes(keys, width)
  const panels = keyPanels + <usize>2 * panelBytes(queries, width)
  return panels + <usize>2 * <usize>queries * weightStride(keys) + SPARE + 64
}

/** Keys that query `i` sees. */
// @ts-ignore: decorator
@inline
function seen(i: i32, queries: i32, keys: i32, causal: bool): i32 {
  return causal ? max(0, min(keys, i + 1 + keys - queries)) : keys
}

/** x = x * scale; returns the maximum. */
function scaledPeak(x: usize, scale: f32, length: i32): f32 {
  const s = splat(scale)
  let m = splat(LOWEST)
  let i = length
  for (; i >= 4; i -= 4, x += 16) {
    const v = f32x4.mul(v128.load(x), s)
    v128.store(x, v)
    m = f32x4.pmax(m, v)
  }
  if (i > 0) {
    const v = f32x4.mul(v128.load(x), s)
    storePart(x, v, i)
    m = f32x4.pmax(m, v128.bitselect(v, splat(LOWEST), below(i)))
  }
  return maxLanes(m)
}

/** Scores become weights but for a factor, which it returns (0 if no key counts); stores the row's logSumExp. */
// @ts-ignore: decorator
@inline
function weigh(scores: usize, logSumExp: usize, scale: f32, length: i32): f32 {
  const peak = scaledPeak(scores, scale, length)
  const sum = rowExp(scores, scores, peak, length)
  f32.store(logSumExp, length > 0 ? peak + logOf(sum) : -<f32>Infinity)
  return sum == 0.0 ? <f32>0.0 : <f32>1.0 / sum
}

/**
 * Rows of one tile, from their scores. They share the last one's limit; what a row does not see weighs 0 and leaves its
 * chain as it is. Panels hold `keys` rows each.
 */
function values(
  out: usize, outStride: usize, logSumExp: usize, scores: usize, stride: usize, panels: usize,
  first: i32, count: i32, queries: i32, keys: i32, width: i32, causal: bool, scale: f32, shares: usize, spare: usize,
): void {
  const limit = seen(first + count - 1, queries, keys, causal)
  for (let r = 0; r < count; r++) {
    const length = seen(first + r, queries, keys, causal)
    const row = scores + <usize>r * stride
    f32.store(shares + (<usize>r << 2), weigh(row, logSumExp + (<usize>r << 2), scale, length))
    clear(row + (<usize>length << 2), row + (<usize>limit << 2))
  }
  block(out, outStride, scores, stride, 4, panels, <usize>keys << 5, limit, count, width, false, 0, spare)
  for (let r = 0; r < count; r++) rowScale(out + <usize>r * outStride, f32.load(shares + (<usize>r << 2)), width)
}

/** Pairs of (batch, key-value head) from `start` to `end`, so that threads can split them. */
export function attention(
  out: usize, logSumExp: usize, query: usize, key: usize, value: usize, queries: i32, keys: i32, capacity: i32,
  heads: i32, keyValueHeads: i32, width: i32, causal: bool, scale: f32, start: i32, end: i32, scratch: usize,
): void {
  const group = heads / keyValueHeads
  const headBytes = <usize>width << 2
  const rowBytes = headBytes * <usize>heads
  const keyBytes = headBytes * <usize>keyValueHeads
  const spare = scratch
  const keyPanels = scratch + SPARE
  const valuePanels = keyPanels + panelBytes(width, keys)
  const strip = valuePanels + panelBytes(keys, width)
  const stripBytes = padded(keys) << 2
  const shares = strip + <usize>min(queries, QUERIES) * stripBytes
  const few = queries <= FEW_QUERIES
  for (let pair = start; pair < end; pair++) {
    const b = pair / keyValueHeads
    const shared = pair % keyValueHeads
    const keyAt = <usize>b * <usize>capacity * keyBytes + <usize>shared * headBytes
    const k = key + keyAt
    const v = value + keyAt
    if (!few) {
      packColumns(keyPanels, k, keyBytes, width, keys)
      packRows(valuePanels, v, keyBytes, keys, width)
    }
    for (let h = shared * group; h < (shared + 1) * group; h++) {
      const at = <usize>b * <usize>queries * rowBytes + <usize>h * headBytes
      const q = query + at
      const o = out + at
      const lse = logSumExp + (<usize>((b * heads + h) * queries) << 2)
      if (few) {
        for (let i = 0; i < queries; i++) {
          const row = <usize>i * rowBytes
          const length = seen(i, queries, keys, causal)
          gemvColumns(strip, q + row, k, keyBytes, 0, width, length)
          const share = weigh(strip, lse + (<usize>i << 2), scale, length)
          gemvRows(o + row, strip, v, keyBytes, 0, length, width)
          rowScale(o + row, share, width)
        }
        continue
      }
      for (let i = 0; i < queries; i += QUERIES) {
        const rows = min(QUERIES, queries - i)
        const limit = seen(i + rows - 1, queries, keys, causal)
        const from = <usize>i * rowBytes
        block(strip, stripBytes, q + from, rowBytes, 4, keyPanels, headBytes << 3, width, rows, limit, false, 0, spare)
        for (let r = 0; r < rows; r += ROWS) {
          const count = min(ROWS, rows - r)
          values(
            o + from + <usize>r * rowBytes, rowBytes, lse + (<usize>(i + r) << 2), strip + <usize>r * stripBytes,
            stripBytes, valuePanels, i + r, count, queries, keys, width, causal, scale, shares, spare,
          )
        }
      }
    }
  }
}

/** x = exp(x * scale - logSumExp). */
function weightsOf(x: usize, scale: f32, logSumExp: f32, length: i32): void {
  const s = splat(scale)
  const lse = splat(logSumExp)
  for (let i = length; i > 0; i -= 4, x += 16) {
    storePart(x, expNegative4(f32x4.sub(f32x4.mul(v128.load(x), s), lse)), i)
  }
}

/** d = p (d - centre) scale. */
function scoreGradient(d: usize, p: usize, centre: f32, scale: f32, length: i32): void {
  const c = splat(centre)
  const s = splat(scale)
  for (let i = length; i > 0; i -= 4, d += 16, p += 16) {
    storePart(d, f32x4.mul(f32x4.mul(v128.load(p), s), f32x4.sub(v128.load(d), c)), i)
  }
}

/** Rows [j, j + count) of dx for one head = weights (queries, keys), read along columns, times packed rows. */
// @ts-ignore: decorator
@inline
function pullKeys(
  dx: usize, stride: usize, weights: usize, weightBytes: usize, panels: usize, queries: i32, first: i32, j: i32,
  count: i32, width: i32, resume: bool, spare: usize,
): void {
  const from = weights + <usize>first * weightBytes + (<usize>j << 2)
  block(
    dx + <usize>j * stride, stride, from, 4, weightBytes, panels + (<usize>first << 5), <usize>queries << 5,
    queries - first, count, width, resume, 0, spare,
  )
}

/**
 * With p the weights: dV = pT dO; dS = p (dO VT - sum dO O) scale; dQ = dS K; dK = dST Q.
 * Rows of dK and dV from `keys` on are zero.
 */
export function attentionPullback(
  dQuery: usize, dKey: usize, dValue: usize, dOut: usize, query: usize, key: usize, value: usize, out: usize,
  logSumExp: usize, queries: i32, keys: i32, capacity: i32, heads: i32, keyValueHeads: i32, width: i32,
  causal: bool, scale: f32, start: i32, end: i32, scratch: usize,
): void {
  const group = heads / keyValueHeads
  const headBytes = <usize>width << 2
  const rowBytes = headBytes * <usize>heads
  const keyBytes = headBytes * <usize>keyValueHeads
  const weightBytes = weightStride(keys)
  const spare = scratch
  const keyColumns = scratch + SPARE
  const valueColumns = keyColumns + panelBytes(width, keys)
  const keyRows = valueColumns + panelBytes(width, keys)
  const outRows = keyRows + panelBytes(keys, width)
  const queryRows = outRows + panelBytes(queries, width)
  const p = queryRows + panelBytes(queries, width)
  const d = p + <usize>queries * weightBytes
  for (let pair = start; pair < end; pair++) {
    const b = pair / keyValueHeads
    const shared = pair % keyValueHeads
    const keyAt = <usize>b * <usize>capacity * keyBytes + <usize>shared * headBytes
    packColumns(keyColumns, key + keyAt, keyBytes, width, keys)
    packColumns(valueColumns, value + keyAt, keyBytes, width, keys)
    packRows(keyRows, key + keyAt, keyBytes, keys, width)
    for (let h = shared * group; h < (shared + 1) * group; h++) {
      const at = <usize>b * <usize>queries * rowBytes + <usize>h * headBytes
      const lse = logSumExp + (<usize>((b * heads + h) * queries) << 2)
      packRows(outRows, dOut + at, rowBytes, queries, width)
      packRows(queryRows, query + at, rowBytes, queries, width)
      for (let i = 0; i < queries; i += QUERIES) {
        const rows = min(QUERIES, queries - i)
        const limit = seen(i + rows - 1, queries, keys, causal)
        const from = at + <usize>i * rowBytes
        const pRows = p + <usize>i * weightBytes
        const dRows = d + <usize>i * weightBytes
        const panel = headBytes << 3
        block(pRows, weightBytes, query + from, rowBytes, 4, keyColumns, panel, width, rows, limit, false, 0, spare)
        block(dRows, weightBytes, dOut + from, rowBytes, 4, valueColumns, panel, width, rows, limit, false, 0, spare)
        for (let r = 0; r < rows; r++) {
          const length = seen(i + r, queries, keys, causal)
          const row = from + <usize>r * rowBytes
          const pRow = pRows + <usize>r * weightBytes
          const dRow = dRows + <usize>r * weightBytes
          weightsOf(pRow, scale, f32.load(lse + (<usize>(i + r) << 2)), length)
          scoreGradient(dRow, pRow, rowDot(dOut + row, out + row, width), scale, length)
          // As far as a block of queries or of keys looks past what this query sees.
          const end = min(weightBytes, <usize>(length + max(QUERIES, KEYS)) << 2)
          clear(pRow + (<usize>length << 2), pRow + end)
          clear(dRow + (<usize>length << 2), dRow + end)
        }
        block(
          dQuery + from, rowBytes, dRows, weightBytes, 4, keyRows, <usize>keys << 5, limit, rows, width, false, 0, spare,
        )
      }
      const resume = h > shared * group
      for (let j = 0; j < keys; j += KEYS) {
        const count = min(KEYS, keys - j)
        // The first query that sees key j.
        const first = causal ? min(queries, max(0, j - (keys - queries))) : 0
        const dK = dKey + keyAt
        const dV = dValue + keyAt
        pullKeys(dV, keyBytes, p, weightBytes, outRows, queries, first, j, count, width, resume, spare)
        pullKeys(dK, keyBytes, d, weightBytes, queryRows, queries, first, j, count, width, resume, spare)
      }
    }
    for (let j = keys; j < capacity; j++) {
      memory.fill(dKey + keyAt + <usize>j * keyBytes, 0, headBytes)
      memory.fill(dValue + keyAt + <usize>j * keyBytes, 0, headBytes)
    }
  }
}
