/**
 * `attention` of one query, its heads side by side: keys and values are read where they are, a few whole rows at a time, so that memory, which
 * decoding waits for, is read in order. The same chains as by blocks, hence the same bits.
 */
import { gemvBlock, gemvColumns } from './gemv'
import { absorb, begin, finish, join, KEYS, SHRINK, STRIP } from './streamingSoftmax'

/** Keys read at once, of all heads. */
const ROWS: i32 = 8

/**
 * Heads `first` to `first` + `heads`, 128 at most, which read key-value heads head / group. out and query (heads of the model, width) of this query,
 * logSumExp of head 0, further heads lseStep bytes apart; scores: a strip a head, states and values as many rows.
 */
export function attendFew(
  out: usize, logSumExp: usize, lseStep: usize, query: usize, key: usize, value: usize, keyBytes: usize, limit: i32,
  first: i32, heads: i32, group: i32, width: i32, scale: f32, scores: usize, states: usize, values: usize,
): void {
  const headBytes = <usize>width << 2
  const q = query + <usize>first * headBytes
  const o = out + <usize>first * headBytes
  begin(states, heads)
  if (limit == 0) memory.fill(o, 0, <usize>heads * headBytes)
  for (let j = 0; j < limit; j += KEYS, key += <usize>KEYS * keyBytes, value += <usize>KEYS * keyBytes) {
    const count = min(KEYS, limit - j)
    for (let i = 0; i < count; i += ROWS) {
      const rows = key + <usize>i * keyBytes
      const to = scores + (<usize>i << 2)
      for (let h = 0; h < heads; h++) {
        const from = rows + <usize>((first + h) / group) * headBytes
        gemvColumns(to + <usize>h * STRIP, q + <usize>h * headBytes, from, keyBytes, 0, width, min(ROWS, count - i))
      }
    }
    for (let h = 0; h < heads; h++) {
      const strip = scores + <usize>h * STRIP
      f32.store(strip, absorb(strip, states + (<usize>h << 2), scale, count), SHRINK)
    }
    const sums = j == 0 ? o : values
    for (let i = 0; i < count; i += ROWS) {
      const rows = value + <usize>i * keyBytes
      const weights = scores + (<usize>i << 2)
      for (let h = 0; h < heads; h++) {
        const from = rows + <usize>((first + h) / group) * headBytes
        const to = sums + <usize>h * headBytes
        gemvBlock(to, weights + <usize>h * STRIP, from, keyBytes, min(ROWS, count - i), width, i > 0)
      }
    }
    if (j == 0) continue
    for (let h = 0; h < heads; h++) {
      const at = <usize>h * headBytes
      join(o + at, values + at, f32.load(scores + <usize>h * STRIP, SHRINK), width)
    }
  }
  // Scores are read no more: their place takes the statistics on their way.
  finish(o, headBytes, scores, states, heads, width)
  for (let h = 0; h < heads; h++) {
    f32.store(logSumExp + <usize>(first + h) * lseStep, f32.load(scores + (<usize>h << 2)))
  }
}
