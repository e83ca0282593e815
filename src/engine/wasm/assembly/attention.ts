/**
 * Scaled dot-product attention by blocks of queries and keys, the softmax streaming along the keys: memory does not
 * grow with either. Vaswani et al., arXiv 1706.03762, eq. 1; Dao, FlashAttention-2, arXiv 2307.08691, algorithms 1, 2.
 * Query head h reads key-value head h / (heads / keyValueHeads). query, out (batch, queries, heads * width);
 * key, value (batch, capacity, keyValueHeads * width); logSumExp (batch, heads, queries). Causal query i sees keys
 * 0 .. i + keys - queries.
 * Blocks of keys begin at multiples of KEYS and a query takes them in order, so that its bits depend on its own keys
 * alone (laws L1, L4, A3, A8): scores are the chains of `tile`, and so are a block's weighted values; blocks join as
 * o = o exp(peak before - peak) + values.
 */
import { block } from './gemm'
import { gemvColumns, gemvRows } from './gemv'
import { packColumns, packRows, panelBytes } from './pack'
import { rowDot } from './reduce'
import { expNegative4, log4 } from './functions'
import { below, madd, maxLanes, splat, storePart, sumLanes } from './simd'
import { PANEL, ROWS, SPARE } from './tile'

/** Queries and keys of a block: its operands stay in the second-level cache, its scores in the first. */
const QUERIES: i32 = 128
const KEYS: i32 = 128
/** Bytes of a row of scores: room to zero what a tile looks past a row's last key, and an odd number of half lines. */
const STRIP: usize = <usize>(KEYS + 8) << 2
/** Up to here each query is a product of its own with keys and values unpacked. */
const FEW_QUERIES: i32 = 3
/** Bytes from the peaks of a block's queries to their sums. */
const SUMS: usize = <usize>QUERIES << 2
/** Stands for the peak of no scores. */
const LOWEST: f32 = -3e38

/** Bytes of a tile of values. */
// @ts-ignore: decorator
@inline
function valueBytes(width: i32): usize {
  return <usize>(ROWS * ((width + PANEL - 1) & ~(PANEL - 1))) << 2
}

/** Blocks of queries: the units of work of `attention`, a head each. */
// @ts-ignore: decorator
@inline
function queryBlocks(queries: i32): i32 {
  return (queries + QUERIES - 1) / QUERIES
}

/** Bytes of scratch memory of `attention`. */
export function attentionScratch(width: i32): usize {
  const panels = panelBytes(width, KEYS) + panelBytes(KEYS, width)
  return SPARE + panels + <usize>QUERIES * (STRIP + 8) + valueBytes(width) + 64
}

/** Bytes of scratch memory of `attentionPullback`. */
export function attentionPullbackScratch(width: i32): usize {
  const columns = <usize>2 * panelBytes(width, KEYS)
  const rows = panelBytes(KEYS, width) + <usize>2 * panelBytes(QUERIES, width)
  return SPARE + columns + rows + <usize>2 * <usize>QUERIES * STRIP + 64
}

/**
 * out (rows, count) = x (rows, width) times packed keys. Row r sees the first `seen + r` keys of the block, `count` at
 * most; panels that a tile of rows does not see stay unwritten.
 */
function products(
  out: usize, x: usize, stride: usize, panels: usize, width: i32, rows: i32, count: i32, seen: i32, spare: usize,
): void {
  const panel = <usize>width << 5
  for (let j = 0; j < count; j += PANEL, panels += panel) {
    const first = <usize>(max(0, j - seen + 1) / ROWS * ROWS)
    const left = rows - <i32>first
    if (left <= 0) return
    const to = out + first * STRIP + (<usize>j << 2)
    block(to, STRIP, x + first * stride, stride, 4, panels, panel, width, left, PANEL, false, 0, spare)
  }
}

/**
 * Scores of `length` keys become weights relative to the highest so far, zeros behind them; returns by what weights
 * before them shrink. `state` is that peak and, SUMS bytes on, the sum of weights.
 */
function absorb(scores: usize, state: usize, scale: f32, length: i32): f32 {
  const s = splat(scale)
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
  const peak = maxLanes(f32x4.pmax(m0, m1))
  const centre = splat(-peak)
  let s0 = splat(0.0)
  let s1 = splat(0.0)
  x = scores
  i = length
  for (; i >= 8; i -= 8, x += 32) {
    const e0 = expNegative4(madd(v128.load(x), s, centre))
    const e1 = expNegative4(madd(v128.load(x, 16), s, centre))
    v128.store(x, e0)
    v128.store(x, e1, 16)
    s0 = f32x4.add(s0, e0)
    s1 = f32x4.add(s1, e1)
  }
  for (; i > 0; i -= 4, x += 16) {
    const e = v128.and(expNegative4(madd(v128.load(x), s, centre)), below(i))
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
  const shrink = f32x4.extract_lane(expNegative4(splat(before - peak)), 0)
  f32.store(state, f32.load(state, SUMS) * shrink + sum, SUMS)
  return shrink
}

/** out = out * shrink + values. */
function join(out: usize, values: usize, shrink: f32, width: i32): void {
  const s = splat(shrink)
  let i = width
  for (; i >= 4; i -= 4, out += 16, values += 16) v128.store(out, madd(v128.load(out), s, v128.load(values)))
  if (i > 0) storePart(out, madd(v128.load(out), s, v128.load(values)), i)
}

/** Zeros rows `first` to `end` of one head. */
function clearRows(x: usize, stride: usize, first: i32, end: i32, bytes: usize): void {
  for (let i = first; i < end; i++) memory.fill(x + <usize>i * stride, 0, bytes)
}

/** No keys yet. */
// @ts-ignore: decorator
@inline
function begin(states: usize, rows: i32): void {
  for (let r = 0; r < rows; r += 4) {
    const at = states + (<usize>r << 2)
    v128.store(at, splat(LOWEST))
    v128.store(at, splat(0.0), SUMS)
  }
}

/** Rows of out = out / sum of weights, no zero of it negative; 0 where no key counts. */
// @ts-ignore: decorator
@inline
function finish(out: usize, stride: usize, logSumExp: usize, states: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r += 4) {
    const at = states + (<usize>r << 2)
    const sums = v128.load(at, SUMS)
    storePart(logSumExp + (<usize>r << 2), f32x4.add(v128.load(at), log4(sums)), rows - r)
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

/** One query, keys and values read where they are. */
// @ts-ignore: decorator
@inline
function attendOne(
  out: usize, logSumExp: usize, query: usize, key: usize, value: usize, keyBytes: usize, limit: i32, width: i32,
  scale: f32, scores: usize, state: usize, values: usize,
): void {
  begin(state, 1)
  for (let j = 0; j < limit; j += KEYS) {
    const count = min(KEYS, limit - j)
    const from = <usize>j * keyBytes
    gemvColumns(scores, query, key + from, keyBytes, 0, width, count)
    const shrink = absorb(scores, state, scale, count)
    gemvRows(j == 0 ? out : values, scores, value + from, keyBytes, 0, count, width)
    if (j > 0) join(out, values, shrink, width)
  }
  finish(out, 0, logSumExp, state, 1, width)
}

/** Blocks of queries, counted through heads and batch, from `start` to `end`, so that threads can split them. */
export function attention(
  out: usize, logSumExp: usize, query: usize, key: usize, value: usize, queries: i32, keys: i32, capacity: i32,
  heads: i32, keyValueHeads: i32, width: i32, causal: bool, scale: f32, start: i32, end: i32, scratch: usize,
): void {
  const group = heads / keyValueHeads
  const blocks = queryBlocks(queries)
  const headBytes = <usize>width << 2
  const rowBytes = headBytes * <usize>heads
  const keyBytes = headBytes * <usize>keyValueHeads
  const spare = scratch
  const keyPanels = scratch + SPARE
  const valuePanels = keyPanels + panelBytes(width, KEYS)
  const scores = valuePanels + panelBytes(KEYS, width)
  const states = scores + <usize>QUERIES * STRIP
  const values = states + (<usize>QUERIES << 3)
  for (let unit = start; unit < end; unit++) {
    const head = unit / blocks
    // The last block, which sees most keys, first: threads end together.
    const i = (blocks - 1 - unit % blocks) * QUERIES
    const rows = min(QUERIES, queries - i)
    const b = head / heads
    const h = head % heads
    const keyAt = <usize>b * <usize>capacity * keyBytes + <usize>(h / group) * headBytes
    const k = key + keyAt
    const v = value + keyAt
    const at = (<usize>b * <usize>queries + <usize>i) * rowBytes + <usize>h * headBytes
    const q = query + at
    const o = out + at
    const lse = logSumExp + (<usize>(head * queries + i) << 2)
    /** Keys that the first query sees. */
    const sees = causal ? i + 1 + keys - queries : keys
    if (queries <= FEW_QUERIES) {
      for (let r = 0; r < rows; r++) {
        const row = <usize>r * rowBytes
        const limit = min(keys, sees + r)
        if (limit == 0) memory.fill(o + row, 0, headBytes)
        attendOne(
          o + row, lse + (<usize>r << 2), q + row, k, v, keyBytes, limit, width, scale, scores, states, values,
        )
      }
      continue
    }
    begin(states, rows)
    if (keys == 0) clearRows(o, rowBytes, 0, rows, headBytes)
    const limit = min(keys, sees + rows - 1)
    for (let j = 0; j < limit; j += KEYS) {
      const count = min(KEYS, limit - j)
      const from = <usize>j * keyBytes
      packColumns(keyPanels, k + from, keyBytes, width, count)
      packRows(valuePanels, v + from, keyBytes, count, width)
      products(scores, q, rowBytes, keyPanels, width, rows, count, sees - j, spare)
      for (let r = 0; r < rows; r += ROWS) {
        const tall = min(ROWS, rows - r)
        const inner = min(count, sees - j + r + tall - 1)
        if (inner <= 0) continue
        const row = o + <usize>r * rowBytes
        const to = j == 0 ? row : values
        const stride = j == 0 ? rowBytes : headBytes
        const strip = scores + <usize>r * STRIP
        // The rows' shrinks take the place of scores that nobody reads any more.
        for (let n = 0; n < tall; n++) {
          const length = min(count, sees - j + r + n)
          const line = strip + <usize>n * STRIP
          const shrink = length > 0 ? absorb(line, states + (<usize>(r + n) << 2), scale, length) : <f32>1.0
          f32.store(line, shrink, <usize>(KEYS + 7) << 2)
        }
        block(to, stride, strip, STRIP, 4, valuePanels, <usize>count << 5, inner, tall, width, false, 0, spare)
        if (j == 0) continue
        for (let n = 0; n < tall; n++) {
          if (sees - j + r + n <= 0) continue
          const shrink = f32.load(strip + <usize>n * STRIP, <usize>(KEYS + 7) << 2)
          join(row + <usize>n * rowBytes, values + <usize>n * headBytes, shrink, width)
        }
      }
    }
    finish(o, rowBytes, lse, states, rows, width)
  }
}

/** Scores become weights p = exp(scores scale - logSumExp), and pulled values their gradients d = p (d - centre) scale. */
function pullScores(p: usize, d: usize, scale: f32, logSumExp: f32, centre: f32, length: i32): void {
  const s = splat(scale)
  const lse = splat(-logSumExp)
  const c = splat(centre)
  let i = length
  for (; i >= 4; i -= 4, p += 16, d += 16) {
    const e = expNegative4(madd(v128.load(p), s, lse))
    v128.store(p, e)
    v128.store(d, f32x4.mul(f32x4.mul(e, s), f32x4.sub(v128.load(d), c)))
  }
  if (i > 0) {
    const seen = below(i)
    const e = v128.and(expNegative4(madd(v128.load(p), s, lse)), seen)
    v128.store(p, e)
    v128.store(d, v128.and(f32x4.mul(f32x4.mul(e, s), f32x4.sub(v128.load(d), c)), seen))
    p += 16
    d += 16
  }
  v128.store(p, splat(0.0))
  v128.store(p, splat(0.0), 16)
  v128.store(d, splat(0.0))
  v128.store(d, splat(0.0), 16)
}

/** dx (keys of a block, width) += scores (queries, keys), read along columns, times packed rows of queries. */
function pullKeys(
  dx: usize, stride: usize, scores: usize, panels: usize, queries: i32, count: i32, seen: i32, width: i32,
  resume: bool, spare: usize,
): void {
  for (let j = 0; j < count; j += ROWS) {
    // The first query that sees key j; those before it add nothing.
    const first = min(queries, max(0, j - seen + 1))
    if (resume && first == queries) return
    const from = scores + <usize>first * STRIP + (<usize>j << 2)
    block(
      dx + <usize>j * stride, stride, from, 4, STRIP, panels + (<usize>first << 5), <usize>queries << 5,
      queries - first, min(ROWS, count - j), width, resume, 0, spare,
    )
  }
}

/**
 * With p the weights: dV = pT dO; dS = p (dO VT - sum dO O) scale; dQ = dS K; dK = dST Q. Weights come back from
 * logSumExp. Every sum over keys or queries ascends. Rows of dK and dV from `keys` on are zero. Pairs of (batch,
 * key-value head) from `start` to `end`, so that threads can split them.
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
  const spare = scratch
  const keyColumns = scratch + SPARE
  const valueColumns = keyColumns + panelBytes(width, KEYS)
  const keyRows = valueColumns + panelBytes(width, KEYS)
  const outRows = keyRows + panelBytes(KEYS, width)
  const queryRows = outRows + panelBytes(QUERIES, width)
  const p = queryRows + panelBytes(QUERIES, width)
  const d = p + <usize>QUERIES * STRIP
  for (let pair = start; pair < end; pair++) {
    const b = pair / keyValueHeads
    const shared = pair % keyValueHeads
    const keyAt = <usize>b * <usize>capacity * keyBytes + <usize>shared * headBytes
    clearRows(dKey + keyAt, keyBytes, queries == 0 ? 0 : keys, capacity, headBytes)
    clearRows(dValue + keyAt, keyBytes, queries == 0 ? 0 : keys, capacity, headBytes)
    if (keys == 0) {
      const at = <usize>b * <usize>queries * rowBytes + <usize>shared * headBytes * <usize>group
      clearRows(dQuery + at, rowBytes, 0, queries, headBytes * <usize>group)
    }
    for (let j = 0; j < keys; j += KEYS) {
      const count = min(KEYS, keys - j)
      const block0 = keyAt + <usize>j * keyBytes
      packColumns(keyColumns, key + block0, keyBytes, width, count)
      packColumns(valueColumns, value + block0, keyBytes, width, count)
      packRows(keyRows, key + block0, keyBytes, count, width)
      // The block of queries with the first one that sees key j.
      const from = causal ? max(0, j - (keys - queries)) / QUERIES * QUERIES : 0
      for (let h = shared * group; h < (shared + 1) * group; h++) {
        for (let i = from; i < queries; i += QUERIES) {
          const rows = min(QUERIES, queries - i)
          const seen = causal ? i + 1 + keys - queries - j : count
          const at = (<usize>b * <usize>queries + <usize>i) * rowBytes + <usize>h * headBytes
          const lse = logSumExp + (<usize>((b * heads + h) * queries + i) << 2)
          packRows(queryRows, query + at, rowBytes, rows, width)
          packRows(outRows, dOut + at, rowBytes, rows, width)
          products(p, query + at, rowBytes, keyColumns, width, rows, count, seen, spare)
          products(d, dOut + at, rowBytes, valueColumns, width, rows, count, seen, spare)
          for (let r = 0; r < rows; r++) {
            const row = at + <usize>r * rowBytes
            const line = <usize>r * STRIP
            const centre = rowDot(dOut + row, out + row, width)
            pullScores(p + line, d + line, scale, f32.load(lse + (<usize>r << 2)), centre, min(count, seen + r))
          }
          for (let r = 0; r < rows; r += ROWS) {
            const tall = min(ROWS, rows - r)
            const inner = min(count, seen + r + tall - 1)
            if (inner <= 0) continue
            block(
              dQuery + at + <usize>r * rowBytes, rowBytes, d + <usize>r * STRIP, STRIP, 4, keyRows, <usize>count << 5,
              inner, tall, width, j > 0, 0, spare,
            )
          }
          const resume = h > shared * group || i > from
          pullKeys(dValue + block0, keyBytes, p, outRows, rows, count, seen, width, resume, spare)
          pullKeys(dKey + block0, keyBytes, d, queryRows, rows, count, seen, width, resume, spare)
        }
      }
    }
  }
}
