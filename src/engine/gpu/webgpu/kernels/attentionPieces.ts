/**
 * Attention's tables in pieces: some of the batch's heads at a time, z counting through those of the piece, so that scores of a long text fit where all
 * heads' together would not.
 */
import type { AttentionSizes } from '../../../fused.ts'

/** Keys that query q sees under a causal mask. */
export const SEEN = 'p.keys + q + 1u - min(p.queries, p.keys + q + 1u)'

/** Bytes of a table with more than one key head: what every GPU binds. */
const TABLE = 2 ** 27

/** Query heads `first` … `first + count - 1` of the batch's, with whole key heads. */
export interface Piece extends AttentionSizes {
  readonly first: number
  readonly count: number
}

export const piecesOf = (sizes: AttentionSizes): readonly Piece[] => {
  const { batch, heads, keyValueHeads, queries, keys } = sizes
  const share = heads / keyValueHeads
  const all = batch * heads
  const most = share * Math.max(1, Math.floor(TABLE / (4 * share * queries * keys)))
  const pieces: Piece[] = []
  for (let first = 0; first < all; first += most) pieces.push({ ...sizes, first, count: Math.min(most, all - first) })
  return pieces
}

export const tableOf = (pieces: readonly Piece[]): number =>
  Math.max(0, ...pieces.map(({ count, queries, keys }) => count * queries * keys))

/** Positions as WGSL expressions; `row` is the batch row, `head` counts query heads, of which `share` share a key head. */
export const queryAt = (row: string, query: string, head: string, d: string): string =>
  `((${row} * p.queries + ${query}) * p.heads + ${head}) * p.width + ${d}`
export const keyAt = (row: string, key: string, head: string, d: string): string =>
  `((${row} * p.capacity + ${key}) * (p.heads / p.share) + ${head} / p.share) * p.width + ${d}`

/** Batch row and head of cell z of a piece. */
export const [ROW, HEAD] = ['((z + p.first) / p.heads)', '((z + p.first) % p.heads)']

/** The parameters that these expressions read. */
export const parametersOf = (
  { batch, queries, keys, keyCapacity, heads, keyValueHeads, headWidth }: AttentionSizes,
  first = 0,
) => ({
  sequences: batch,
  queries,
  keys,
  capacity: keyCapacity,
  heads,
  share: heads / keyValueHeads,
  width: headWidth,
  first,
})
