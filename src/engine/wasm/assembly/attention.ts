/**
 * Scaled dot-product attention by blocks of queries and keys, the softmax streaming along the keys: memory does not
 * grow with either. Vaswani et al., arXiv 1706.03762, eq. 1; Dao, FlashAttention-2, arXiv 2307.08691, algorithms 1, 2.
 * Query head h reads key-value head h / (heads / keyValueHeads). query, out (batch, queries, heads * width);
 * key, value (batch, capacity, keyValueHeads * width), their positions queryRow and keyRow numbers apart; logSumExp
 * (batch, heads, queries). Causal query i sees keys 0 .. i + keys - queries.
 * Blocks of keys begin at multiples of KEYS and a query takes them in order, so that its bits depend on its own keys
 * alone (laws L1, L4, A3, A8): scores are the chains of `tile`, and so are a block's weighted values; blocks join as
 * o = o exp(peak before - peak) + values.
 */
import { attendFew } from './attentionFew'
import { block } from './gemm'
import { packColumns, packRows, panelBytes } from './pack'
import { absorb, begin, finish, join, KEYS, QUERIES, SHRINK, STRIP } from './streamingSoftmax'
import { PANEL, ROWS, SPARE } from './tile'

/** Up to here each query is a product of its own with keys and values unpacked. */
const FEW_QUERIES: i32 = 3

/** Bytes of a tile of values. */
@inline
function valueBytes(width: i32): usize {
  return <usize>(ROWS * ((width + PANEL - 1) & ~(PANEL - 1))) << 2
}

/** Blocks of queries: the units of work of `attention`, a head each. */
@inline
function queryBlocks(queries: i32): i32 {
  return (queries + QUERIES - 1) / QUERIES
}

/** Bytes of scratch memory of `attention`. */
export function attentionScratch(width: i32): usize {
  const panels = panelBytes(width, KEYS) + panelBytes(KEYS, width)
  return SPARE + panels + <usize>QUERIES * (STRIP + 8) + valueBytes(width) + 64
}

/**
 * out (rows, count) = x (rows, width) times packed keys. Row r sees the first `seen + r` keys of the block, `count` at
 * most; panels that a tile of rows does not see stay unwritten.
 */
export function products(
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

/** Zeros rows `first` to `end` of one head. */
export function clearRows(x: usize, stride: usize, first: i32, end: i32, bytes: usize): void {
  for (let i = first; i < end; i++) memory.fill(x + <usize>i * stride, 0, bytes)
}

/** Blocks of queries, counted through heads and batch, from `start` to `end`, so that threads can split them. */
export function attention(
  out: usize, logSumExp: usize, query: usize, key: usize, value: usize, queries: i32, keys: i32, capacity: i32,
  heads: i32, keyValueHeads: i32, width: i32, queryRow: i32, keyRow: i32, causal: bool, scale: f32, start: i32, end: i32,
  scratch: usize,
): void {
  const group = heads / keyValueHeads
  const blocks = queryBlocks(queries)
  const headBytes = <usize>width << 2
  const rowBytes = headBytes * <usize>heads
  const queryBytes = <usize>queryRow << 2
  const keyBytes = <usize>keyRow << 2
  const spare = scratch
  const keyPanels = scratch + SPARE
  const valuePanels = keyPanels + panelBytes(width, KEYS)
  const scores = valuePanels + panelBytes(KEYS, width)
  const states = scores + <usize>QUERIES * STRIP
  const values = states + (<usize>QUERIES << 3)
  if (queries <= FEW_QUERIES) {
    for (let unit = start; unit < end;) {
      const b = unit / heads
      const first = unit % heads
      const count = min(min(end - unit, heads - first), QUERIES)
      const keyAt = <usize>b * <usize>capacity * keyBytes
      for (let r = 0; r < queries; r++) {
        const position = <usize>(b * queries + r)
        const lse = logSumExp + (<usize>(b * heads * queries + r) << 2)
        const limit = causal ? r + 1 + keys - queries : keys
        attendFew(
          out + position * rowBytes, lse, <usize>queries << 2, query + position * queryBytes, key + keyAt,
          value + keyAt, keyBytes, limit, first, count, group, width, scale, scores, states, keyPanels,
        )
      }
      unit += count
    }
    return
  }
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
    const position = <usize>b * <usize>queries + <usize>i
    const q = query + position * queryBytes + <usize>h * headBytes
    const o = out + position * rowBytes + <usize>h * headBytes
    const lse = logSumExp + (<usize>(head * queries + i) << 2)
    /** Keys that the first query sees. */
    const sees = causal ? i + 1 + keys - queries : keys
    begin(states, rows)
    if (keys == 0) clearRows(o, rowBytes, 0, rows, headBytes)
    const limit = min(keys, sees + rows - 1)
    for (let j = 0; j < limit; j += KEYS) {
      const count = min(KEYS, limit - j)
      const from = <usize>j * keyBytes
      packColumns(keyPanels, k + from, keyBytes, width, count)
      packRows(valuePanels, v + from, keyBytes, count, width)
      products(scores, q, queryBytes, keyPanels, width, rows, count, sees - j, spare)
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
          f32.store(line, shrink, SHRINK)
        }
        block(to, stride, strip, STRIP, 4, valuePanels, <usize>count << 5, inner, tall, width, false, 0, spare)
        if (j == 0) continue
        for (let n = 0; n < tall; n++) {
          if (sees - j + r + n <= 0) continue
          const shrink = f32.load(strip + <usize>n * STRIP, SHRINK)
          join(row + <usize>n * rowBytes, values + <usize>n * headBytes, shrink, width)
        }
      }
    }
    finish(o, rowBytes, lse, states, rows, width)
  }
}
