import { add, binary, divide, multiply, scalar, scale, subtract } from '../../src/kernel/binary.ts'
import { full, zeros } from '../../src/kernel/fill.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { max, sum } from '../../src/kernel/reduce.ts'
import { exp } from '../../src/kernel/unary.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

type Rows = Tensor<readonly ['query', 'value']>

/**
 * Attention over some of the keys, ready to meet the rest: m the highest score, l = Σ exp(s - m), o = Σ exp(s - m) v, one row a query.
 * A commutative monoid under `joinStates` with `noKeys` as its unit (law A13), so attention is a fold over a stream of keys and values.
 * Source: Milakov & Gimelshein, arXiv 1805.02867; Rabe & Staats, arXiv 2112.05682; Dao et al., arXiv 2205.14135.
 */
export interface AttentionState {
  /** (queries, 1) */
  readonly highest: Tensor
  /** (queries, 1) */
  readonly total: Tensor
  /** (queries, value width) */
  readonly weighted: Rows
}

/** Finite, so that the difference of two units is 0 and not NaN. */
const LOWEST = -3e38

/** The state of no keys. */
export const noKeys = (beside: Tensor, queries: number, valueWidth: number): AttentionState => ({
  highest: full(beside.engine, [queries, 1], LOWEST),
  total: zeros(beside.engine, [queries, 1]),
  weighted: zeros(beside.engine, [queries, valueWidth]),
})

/** The state of these keys: query (queries, d), key (keys, d), value (keys, value width); scores scaled by 1/√d. */
export const stateOfKeys = (query: Tensor, key: Tensor, value: Tensor): AttentionState =>
  scope(() => {
    const scores = scale(matmulTransposed(query, key, { transposeY: true }), 1 / Math.sqrt(query.shape[1]))
    const highest = binary('maximum', max(scores, -1), scalar(scores, LOWEST))
    const powers = exp(subtract(scores, highest))
    return {
      highest,
      total: sum(powers, -1),
      weighted: matmulTransposed<readonly ['query', 'value']>(powers, value, {}),
    }
  })

/** The state of both sets of keys: each rescaled to the higher maximum, then added. */
export const joinStates = (x: AttentionState, y: AttentionState): AttentionState =>
  scope(() => {
    const highest = binary('maximum', x.highest, y.highest)
    const [ofX, ofY] = [exp(subtract(x.highest, highest)), exp(subtract(y.highest, highest))]
    return {
      highest,
      total: add(multiply(x.total, ofX), multiply(y.total, ofY)),
      weighted: add(multiply(x.weighted, ofX), multiply(y.weighted, ofY)),
    }
  })

/** Below every sum that holds a key, since the highest score adds exp(0) = 1. */
const TINY = 1e-30

/** softmax(Q Kᵀ / √d) V of all the keys in the state; 0 for a query that met none (law A4). */
export const attended = ({ total, weighted }: AttentionState): Rows =>
  scope(() => divide(weighted, binary('maximum', total, scalar(total, TINY))))
