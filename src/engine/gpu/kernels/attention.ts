/**
 * Scaled dot-product attention of grouped heads (Vaswani et al., arXiv:1706.03762; Ainslie et al., arXiv:2305.13245), as kernels
 * over a table of scores (batch, heads, queries, capacity):
 *
 *     S = scale Q Kᵀ,  L = log Σ exp S,  P = exp(S - L),  O = P V
 *     dV = Pᵀ dO,  dS = P (dO Vᵀ - Σ dO O),  dQ = scale dS K,  dK = scale dSᵀ Q
 *
 * The tables span the whole capacity and `keys` is a scalar: decoding runs the same kernels at every position.
 */
import type { Storage } from '../../../tensor/storage.ts'
import type { AttentionSizes, Fused } from '../../fused.ts'
import type { Grid } from '../device.ts'
import type { Launcher } from '../launcher.ts'
import { plus, quotient, remainder, times, X, Y, Z } from '../text.ts'

/** Stands for the greatest score of a query that sees none, or -infinity only, as in softmax: its weights are 0. */
const LOWEST = -3e38
/** exp of it is 0 beside any score, and beside `LOWEST`. */
const HIDDEN = -3.4e38

/** Indices into the four kinds of arrays. `head` counts query heads; they share key heads in groups. */
const indices = ({ batch, queries, keyCapacity, heads, keyValueHeads, headWidth, causal }: AttentionSizes) => ({
  /** Of z = batch * heads + head. */
  batchOf: quotient(Z, heads),
  headOf: remainder(Z, heads, batch * heads),
  query: (row: string, query: string, head: string, d: string): string =>
    plus(
      batch === 1 ? '' : times(row, queries * heads * headWidth),
      times(query, heads * headWidth),
      times(head, headWidth),
      d,
    ),
  key: (row: string, key: string, keyHead: string, d: string): string =>
    plus(
      batch === 1 ? '' : times(row, keyCapacity * keyValueHeads * headWidth),
      times(key, keyValueHeads * headWidth),
      times(keyHead, headWidth),
      d,
    ),
  /** rowHead = batch * heads + head. */
  score: (rowHead: string, query: string, key: string): string =>
    plus(times(rowHead, queries * keyCapacity), queries === 1 ? '' : times(query, keyCapacity), key),
  keyHead: (head: string): string => quotient(head, heads / keyValueHeads),
  /** Whether the query sees the key. */
  sees: (query: string, key: string): string =>
    causal ? `${key} <= ${plus(queries === 1 ? '' : query, 'keys')} - ${queries}` : `${key} < keys`,
})

export const attention = ({
  launch,
  temporary,
}: Launcher): Required<Pick<Fused, 'attention' | 'attentionPullback'>> => {
  const nameOf = (sizes: AttentionSizes): string =>
    `${sizes.batch} ${sizes.queries} ${sizes.keyCapacity} ${sizes.heads} ${sizes.keyValueHeads} ${sizes.headWidth} ${sizes.causal}`
  const scoreGrid = ({ batch, queries, keyCapacity, heads }: AttentionSizes): Grid => [
    keyCapacity,
    queries,
    batch * heads,
  ]
  const scoreCount = ({ batch, queries, keyCapacity, heads }: AttentionSizes): number =>
    batch * heads * queries * keyCapacity

  /** The sum over d of a[query] b[key] of score cell (x = key, y = query, z), in `s`. */
  const dotProduct = (sizes: AttentionSizes, a: string, b: string): string => {
    const at = indices(sizes)
    return `let s = 0; for (let d = 0; d < ${sizes.headWidth}; d++) { s += ${a}[${at.query(at.batchOf, Y, at.headOf, 'd')}] * ${b}[${at.key(at.batchOf, X, at.keyHead(at.headOf), 'd')}]; }`
  }

  /** P of scores S, or of query and key when L is known. Cells that a query does not see are 0. */
  const probabilities = (out: Storage, query: Storage, key: Storage, logSumExp: Storage, sizes: AttentionSizes): void =>
    launch(
      out,
      `attention probabilities ${nameOf(sizes)}`,
      scoreGrid(sizes),
      () => ({
        arrays: ['query', 'key', 'logSumExp'],
        integers: ['keys'],
        reals: ['scale'],
        body: `if (${indices(sizes).sees(Y, X)}) { ${dotProduct(sizes, 'query', 'key')} return Math.exp(s * scale - logSumExp[${plus(times(Z, sizes.queries), sizes.queries === 1 ? '' : Y)}]); } return 0;`,
      }),
      [query, key, logSumExp],
      [sizes.keys, sizes.scale],
    )

  /** (batch, queries, heads, width) = the sum over keys of table[query, key] x[key], times scale: O from P and V, dQ from dS and K. */
  const overKeys = (out: Storage, table: Storage, x: Storage, scale: number, sizes: AttentionSizes): void => {
    const { batch, queries, heads, headWidth } = sizes
    launch(
      out,
      `attention over keys ${nameOf(sizes)}`,
      [headWidth, heads, batch * queries],
      () => {
        const at = indices(sizes)
        const row = quotient(Z, queries)
        const cell = at.score(
          `(${plus(batch === 1 ? '' : times(row, heads), Y)})`,
          remainder(Z, queries, batch * queries),
          'k',
        )
        return {
          arrays: ['table', 'x'],
          integers: ['keys'],
          reals: ['scale'],
          body: `let s = 0; for (let k = 0; k < keys; k++) { s += table[${cell}] * x[${at.key(row, 'k', at.keyHead(Y), X)}]; } return s * scale;`,
        }
      },
      [table, x],
      [sizes.keys, scale],
    )
  }

  /** (batch, capacity, key heads, width) = the sum over a group's queries of table[query, key] x[query], times scale: dV, dK. */
  const overQueries = (out: Storage, table: Storage, x: Storage, scale: number, sizes: AttentionSizes): void => {
    const { batch, queries, keyCapacity, heads, keyValueHeads, headWidth } = sizes
    launch(
      out,
      `attention over queries ${nameOf(sizes)}`,
      [headWidth, keyValueHeads, batch * keyCapacity],
      () => {
        const at = indices(sizes)
        const row = quotient(Z, keyCapacity)
        const head = `(${plus(times(Y, heads / keyValueHeads), 'h')})`
        const cell = at.score(
          batch === 1 ? head : `(${plus(times(row, heads), head)})`,
          'q',
          remainder(Z, keyCapacity, batch * keyCapacity),
        )
        return {
          arrays: ['table', 'x'],
          reals: ['scale'],
          body: `let s = 0; for (let h = 0; h < ${heads / keyValueHeads}; h++) { for (let q = 0; q < ${queries}; q++) { s += table[${cell}] * x[${at.query(row, 'q', head, X)}]; } } return s * scale;`,
        }
      },
      [table, x],
      [scale],
    )
  }

  return {
    attention: (out, logSumExp, query, key, value, sizes) =>
      temporary([scoreCount(sizes), scoreCount(sizes)], (scores, table) => {
        const { batch, queries, heads, keyCapacity } = sizes
        launch(
          scores,
          `attention scores ${nameOf(sizes)}`,
          scoreGrid(sizes),
          () => ({
            arrays: ['query', 'key'],
            integers: ['keys'],
            reals: ['scale', 'hidden'],
            body: `if (${indices(sizes).sees(Y, X)}) { ${dotProduct(sizes, 'query', 'key')} return s * scale; } return hidden;`,
          }),
          [query, key],
          [sizes.keys, sizes.scale, HIDDEN],
        )
        const row = `${X} * ${keyCapacity}`
        launch(
          logSumExp,
          `attention logSumExp ${keyCapacity}`,
          [batch * heads * queries],
          () => ({
            arrays: ['scores'],
            integers: ['keys'],
            reals: ['lowest'],
            body: `let m = lowest; for (let k = 0; k < keys; k++) { m = Math.max(m, scores[${row} + k]); }
let s = 0; for (let j = 0; j < keys; j++) { s += Math.exp(scores[${row} + j] - m); } return m + Math.log(Math.max(s, 1));`,
          }),
          [scores],
          [sizes.keys, LOWEST],
        )
        launch(
          table,
          `attention normalise ${nameOf(sizes)}`,
          scoreGrid(sizes),
          () => ({
            arrays: ['scores', 'logSumExp'],
            integers: ['keys'],
            body: `if (${indices(sizes).sees(Y, X)}) { return Math.exp(scores[${indices(sizes).score(Z, Y, X)}] - logSumExp[${plus(times(Z, queries), queries === 1 ? '' : Y)}]); } return 0;`,
          }),
          [scores, logSumExp],
          [sizes.keys],
        )
        overKeys(out, table, value, 1, sizes)
      }),

    attentionPullback: (dQuery, dKey, dValue, dOut, query, key, value, out, logSumExp, sizes) => {
      const { batch, queries, heads } = sizes
      temporary([scoreCount(sizes), scoreCount(sizes), batch * heads * queries], (table, dScores, inner) => {
        probabilities(table, query, key, logSumExp, sizes)
        overQueries(dValue, table, dOut, 1, sizes)
        const at = indices(sizes)
        launch(
          inner,
          `attentionPullback inner ${nameOf(sizes)}`,
          [queries, batch * heads],
          () => {
            const cell = at.query(quotient(Y, heads), X, remainder(Y, heads, batch * heads), 'd')
            return {
              arrays: ['dOut', 'out'],
              body: `let s = 0; for (let d = 0; d < ${sizes.headWidth}; d++) { s += dOut[${cell}] * out[${cell}]; } return s;`,
            }
          },
          [dOut, out],
        )
        launch(
          dScores,
          `attentionPullback scores ${nameOf(sizes)}`,
          scoreGrid(sizes),
          () => ({
            arrays: ['table', 'dOut', 'value', 'inner'],
            integers: ['keys'],
            body: `if (${at.sees(Y, X)}) { ${dotProduct(sizes, 'dOut', 'value')} return table[${at.score(Z, Y, X)}] * (s - inner[${plus(times(Z, queries), queries === 1 ? '' : Y)}]); } return 0;`,
          }),
          [table, dOut, value, inner],
          [sizes.keys],
        )
        overKeys(dQuery, dScores, key, sizes.scale, sizes)
        overQueries(dKey, dScores, query, sizes.scale, sizes)
      })
    },
  }
}
