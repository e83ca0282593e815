/**
 * Scaled dot-product attention of grouped heads (Vaswani et al., arXiv:1706.03762; Ainslie et al., arXiv:2305.13245). Few queries, which
 * is decoding: a workgroup a query and head walks the keys once with a running maximum and sum (Milakov and Gimelshein, arXiv:1805.02867). More
 * queries: products in tiles over tables (heads, queries, keys), as many heads of the batch at a time as a table holds, of which a causal mask skips
 * what it hides:
 *
 *     S = scale Q Kᵀ,  L = log Σ exp S,  P = exp(S - L),  O = P V
 *     dV = Pᵀ dO,  dS = P (dO Vᵀ - Σ dO O),  dQ = scale dS K,  dK = scale dSᵀ Q
 *
 * The maximum is bounded below and the sum by 1, which it reaches where a score is finite: a query that sees nothing, or -infinity only, gets 0.
 */
import type { Storage } from '../../../../tensor/storage.ts'
import type { AttentionSizes, Fused } from '../../../fused.ts'
import type { WgslLauncher } from '../launcher.ts'
import { type Wgsl, WORKGROUP } from '../program.ts'
import { HEAD, keyAt, type Piece, parametersOf, piecesOf, queryAt, ROW, SEEN, tableOf } from './attentionPieces.ts'
import { along, FOLDS, LOWEST } from './fold.ts'
import { product } from './product.ts'

/** Queries up to which each walks the keys by itself. */
const FEW_QUERIES = 4
const walk = (sizes: AttentionSizes): Wgsl => {
  return {
    reads: ['query', 'key', 'value'],
    writes: ['out', 'logSumExp'],
    integers: Object.keys(parametersOf(sizes)),
    reals: ['scale'],
    declarations: `${FOLDS}
var<workgroup> weights: array<f32, ${WORKGROUP}>;`,
    body: `if (group >= p.sequences * p.heads * p.queries) { return; }
let row = group / (p.heads * p.queries);
let head = group / p.queries % p.heads;
let q = group % p.queries;
let seen = ${sizes.causal ? SEEN : 'p.keys'};
let d = lane % p.width;
let slice = lane / p.width;
let slices = ${WORKGROUP}u / p.width;
var most = ${LOWEST};
var sum = 0.0;
var mixed = 0.0;
for (var first = 0u; first < seen; first += ${WORKGROUP}u) {
  let k = first + lane;
  var score = ${LOWEST};
  if (k < seen) {
    score = 0.0;
    for (var i = 0u; i < p.width; i++) { score = fma(query[${queryAt('row', 'q', 'head', 'i')}], key[${keyAt('row', 'k', 'head', 'i')}], score); }
    score *= p.scale;
  }
  let top = maxOf(most, largest(lane, score));
  let weight = select(0.0, expOf(score - top), k < seen);
  weights[lane] = weight;
  let kept = expOf(most - top);
  sum = sum * kept + total(lane, weight);
  mixed *= kept;
  if (slice < slices) {
    for (var j = slice; j < min(${WORKGROUP}u, seen - first); j += slices) { let k = first + j; mixed = fma(weights[j], value[${keyAt('row', 'k', 'head', 'd')}], mixed); }
  }
  most = top;
  workgroupBarrier();
}
weights[lane] = mixed;
workgroupBarrier();
if (slice == 0u) {
  mixed = 0.0;
  for (var j = lane; j < slices * p.width; j += p.width) { mixed += weights[j]; }
  out[${queryAt('row', 'q', 'head', 'd')}] = mixed / maxOf(sum, 1.0);
}
if (lane == 0u) { logSumExp[group] = most + logOf(maxOf(sum, 1.0)); }`,
  }
}

export const attention = (launcher: WgslLauncher): Required<Pick<Fused, 'attention' | 'attentionPullback'>> => {
  const { dispatch, temporary } = launcher
  /** table = finish of the sums a[query] b[key]; `visible` says in it whether the query sees the key. */
  const scores = (
    what: string,
    table: Storage,
    reads: readonly Storage[],
    extra: readonly string[],
    finish: string,
    piece: Piece,
  ): void => {
    const { queries, keys, headWidth, causal, scale, first, count } = piece
    product(launcher, table, reads, {
      key: `attention ${what} ${causal}`,
      batch: count,
      rows: queries,
      columns: keys,
      inner: headWidth,
      x: { at: queryAt(ROW, 'm', HEAD, 'k'), alongRows: false },
      y: { at: keyAt(ROW, 'n', HEAD, 'k'), alongInner: true },
      ...(causal ? { to: 'select(p.inner, 0u, n0 + p.queries >= m0 + tile + p.keys)' } : {}),
      out: '(z * p.queries + m) * p.keys + n',
      finish: finish.replace('visible', causal ? 'n + p.queries <= m + p.keys' : 'true'),
      extra,
      partly: first > 0,
      integers: parametersOf(piece, first),
      reals: { scale },
    })
  }

  /** (batch, queries, heads, width) = scale times the sum over keys of table[query, key] x[key]. */
  const overKeys = (out: Storage, table: Storage, x: Storage, scale: number, piece: Piece): void => {
    const { queries, keys, headWidth, causal, first, count } = piece
    product(launcher, out, [table, x], {
      key: `attention over keys ${causal}`,
      batch: count,
      rows: queries,
      columns: headWidth,
      inner: keys,
      x: { at: '(z * p.queries + m) * p.keys + k', alongRows: false },
      y: { at: keyAt(ROW, 'k', HEAD, 'n'), alongInner: false },
      ...(causal ? { to: 'm0 + tile + p.keys - min(m0 + tile + p.keys, p.queries)' } : {}),
      out: queryAt(ROW, 'm', HEAD, 'n'),
      finish: 'sum * p.scale',
      partly: first > 0,
      integers: parametersOf(piece, first),
      reals: { scale },
    })
  }

  /** (batch, capacity, key heads, width) = scale times the sum over a group's queries of table[query, key] x[query]. */
  const overQueries = (out: Storage, table: Storage, x: Storage, scale: number, piece: Piece): void => {
    const { queries, keyCapacity, heads, keyValueHeads, headWidth, causal, first, count } = piece
    const group = heads / keyValueHeads
    const keyHead = '(z + p.first / p.share)'
    const row = `(${keyHead} / (p.heads / p.share))`
    product(launcher, out, [table, x], {
      key: `attention over queries ${causal && group === 1}`,
      batch: count / group,
      rows: keyCapacity,
      columns: headWidth,
      inner: group * queries,
      x: {
        at: '((z * p.share + k / p.queries) * p.queries + k % p.queries) * p.keys + m',
        alongRows: true,
        when: 'm < p.keys',
      },
      y: {
        at: queryAt(row, 'k % p.queries', `(${keyHead} % (p.heads / p.share) * p.share + k / p.queries)`, 'n'),
        alongInner: false,
      },
      ...(causal && group === 1 ? { from: 'max(m0 + p.queries, p.keys) - p.keys' } : {}),
      out: `((${row} * p.capacity + m) * (p.heads / p.share) + ${keyHead} % (p.heads / p.share)) * p.width + n`,
      finish: 'sum * p.scale',
      partly: first > 0,
      integers: parametersOf(piece, first),
      reals: { scale },
    })
  }

  /** P and L of scores; hidden cells become 0. */
  const normalise = (table: Storage, logSumExp: Storage, piece: Piece): void => {
    const { queries, keys, causal, first, count } = piece
    const rows = count * queries
    dispatch(
      `attention normalise ${causal}`,
      () => ({
        reads: [],
        updates: ['table'],
        writes: ['logSumExp'],
        integers: ['rows', 'queries', 'keys', 'first'],
        declarations: FOLDS,
        body: `if (group >= p.rows) { return; }
let row = group * p.keys;
let q = group % p.queries;
let seen = ${causal ? SEEN : 'p.keys'};
var m = ${LOWEST};
for (var k = lane; k < seen; k += ${WORKGROUP}u) { m = maxOf(m, table[row + k]); }
m = largest(lane, m);
var s = 0.0;
for (var k = lane; k < seen; k += ${WORKGROUP}u) { s += expOf(table[row + k] - m); }
let l = m + logOf(maxOf(total(lane, s), 1.0));
${along('table[row + k] = select(0.0, expOf(table[row + k] - l), k < seen);', 'p.keys')}
if (lane == 0u) { logSumExp[p.first * p.queries + group] = l; }`,
      }),
      rows,
      {
        reads: [],
        ...(first > 0 ? { updates: [table, logSumExp] } : { updates: [table], writes: [logSumExp] }),
        scalars: [rows, queries, keys, first],
      },
    )
  }

  return {
    attention: (out, logSumExp, query, key, value, sizes) => {
      const { batch, queries, heads, headWidth, scale } = sizes
      if (queries <= FEW_QUERIES && headWidth <= WORKGROUP)
        dispatch(`attention walk ${sizes.causal}`, () => walk(sizes), batch * heads * queries, {
          reads: [query, key, value],
          writes: [out, logSumExp],
          scalars: [...Object.values(parametersOf(sizes)), scale],
        })
      else {
        const pieces = piecesOf(sizes)
        temporary([tableOf(pieces)], table => {
          for (const piece of pieces) {
            scores('scores', table, [query, key], [], 'sum * p.scale', piece)
            normalise(table, logSumExp, piece)
            overKeys(out, table, value, 1, piece)
          }
        })
      }
    },

    attentionPullback: (dQuery, dKey, dValue, dOut, query, key, value, out, logSumExp, sizes) => {
      const { batch, queries, heads, scale } = sizes
      const count = batch * heads * queries
      const pieces = piecesOf(sizes)
      temporary([tableOf(pieces), tableOf(pieces), count], (table, dScores, inner) => {
        dispatch(
          'attention inner',
          () => ({
            reads: ['dOut', 'out'],
            writes: ['inner'],
            integers: Object.keys(parametersOf(sizes)),
            body: `let i = group * ${WORKGROUP}u + lane; if (i >= p.sequences * p.heads * p.queries) { return; }
let z = i / p.queries; var s = 0.0;
for (var d = 0u; d < p.width; d++) { let at = ${queryAt('(z / p.heads)', 'i % p.queries', 'z % p.heads', 'd')}; s += dOut[at] * out[at]; }
inner[i] = s;`,
          }),
          Math.ceil(count / WORKGROUP),
          { reads: [dOut, out], writes: [inner], scalars: Object.values(parametersOf(sizes)) },
        )
        const probability = 'select(0.0, expOf(sum * p.scale - logSumExp[(z + p.first) * p.queries + m]), visible)'
        const dScore =
          'select(0.0, table[(z * p.queries + m) * p.keys + n] * (sum - inner[(z + p.first) * p.queries + m]), visible)'
        for (const piece of pieces) {
          scores('probabilities', table, [query, key, logSumExp], ['logSumExp'], probability, piece)
          overQueries(dValue, table, dOut, 1, piece)
          scores('pullback', dScores, [dOut, value, table, inner], ['table', 'inner'], dScore, piece)
          overKeys(dQuery, dScores, key, scale, piece)
          overQueries(dKey, dScores, query, scale, piece)
        }
      })
    },
  }
}
