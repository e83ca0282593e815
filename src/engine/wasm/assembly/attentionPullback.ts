/**
 * Pullback of `attention` by blocks of queries and keys. Dao, FlashAttention-2, arXiv 2307.08691, algorithm 2.
 */
import { clearRows, products } from './attention'
import { block } from './gemm'
import { packColumns, packRows, panelBytes } from './pack'
import { rowDot } from './reduce'
import { exp2Negative4 } from './functions'
import { below, madd, splat } from './simd'
import { KEYS, LOG2_E, QUERIES, STRIP } from './streamingSoftmax'
import { PANEL, ROWS, SPARE } from './tile'

/** Bytes of scratch memory of `attentionPullback`. */
export function attentionPullbackScratch(width: i32): usize {
  const columns = <usize>2 * panelBytes(width, KEYS)
  const rows = panelBytes(KEYS, width) + <usize>2 * panelBytes(QUERIES, width)
  return SPARE + columns + rows + <usize>2 * <usize>QUERIES * STRIP + 64
}

/** Scores become weights p = exp(scores scale - logSumExp), and pulled values their gradients d = p (d - centre) scale. */
function pullScores(p: usize, d: usize, scale: f32, logSumExp: f32, centre: f32, length: i32): void {
  const s = splat(scale)
  const s2 = splat(scale * LOG2_E)
  const lse = splat(-logSumExp * LOG2_E)
  const c = splat(centre)
  let i = length
  for (; i >= 4; i -= 4, p += 16, d += 16) {
    const e = exp2Negative4(madd(v128.load(p), s2, lse))
    v128.store(p, e)
    v128.store(d, f32x4.mul(f32x4.mul(e, s), f32x4.sub(v128.load(d), c)))
  }
  if (i > 0) {
    const seen = below(i)
    const e = v128.and(exp2Negative4(madd(v128.load(p), s2, lse)), seen)
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
  queryRow: i32, keyRow: i32, causal: bool, scale: f32, start: i32, end: i32, scratch: usize,
): void {
  const group = heads / keyValueHeads
  const headBytes = <usize>width << 2
  const rowBytes = headBytes * <usize>heads
  const queryBytes = <usize>queryRow << 2
  const keyBytes = <usize>keyRow << 2
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
      const at = <usize>b * <usize>queries * queryBytes + <usize>shared * headBytes * <usize>group
      clearRows(dQuery + at, queryBytes, 0, queries, headBytes * <usize>group)
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
          const position = <usize>b * <usize>queries + <usize>i
          const at = position * rowBytes + <usize>h * headBytes
          const queryAt = position * queryBytes + <usize>h * headBytes
          const lse = logSumExp + (<usize>((b * heads + h) * queries + i) << 2)
          packRows(queryRows, query + queryAt, queryBytes, rows, width)
          packRows(outRows, dOut + at, rowBytes, rows, width)
          products(p, query + queryAt, queryBytes, keyColumns, width, rows, count, seen, spare)
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
              dQuery + queryAt + <usize>r * queryBytes, queryBytes, d + <usize>r * STRIP, STRIP, 4, keyRows,
              <usize>count << 5, inner, tall, width, j > 0, 0, spare,
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
