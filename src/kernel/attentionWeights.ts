import type { AttentionSizes } from '../engine/fused.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, type Tensor, tensor } from '../tensor/tensor.ts'
import { add, scale } from './binary.ts'
import { matmulTransposed } from './matmul.ts'
import { permute } from './permute.ts'
import { pad, slice } from './slice.ts'
import { softmax, softmaxPullback } from './softmax.ts'

/**
 * Attention by its definition, weights and all: what a mask or a tap takes, and the derivation that fused kernels are held to.
 * weights = softmax(scale · Q Kᵀ + mask), value = weights V, per head.
 */

export interface AttentionGradients<Q extends Axes, K extends Axes, V extends Axes> {
  readonly dQuery: Tensor<Q>
  readonly dKey: Tensor<K>
  readonly dValue: Tensor<V>
}

/** (batch, queries, heads · d) -> (batch · keyValueHeads, group · queries, d): queries that share keys stand together. */
const groupQueries = (x: Tensor, { batch, queries, heads, keyValueHeads, headWidth }: AttentionSizes): Tensor => {
  const group = heads / keyValueHeads
  const split = x.share([batch, queries, keyValueHeads, group, headWidth])
  return permute(split, [0, 2, 3, 1, 4]).share([batch * keyValueHeads, group * queries, headWidth])
}

const ungroupQueries = <A extends Axes>(
  x: Tensor,
  { batch, queries, heads, keyValueHeads, headWidth }: AttentionSizes,
): Tensor<A> => {
  const group = heads / keyValueHeads
  const split = x.share([batch, keyValueHeads, group, queries, headWidth])
  return permute(split, [0, 3, 1, 2, 4]).share<A>([batch, queries, heads * headWidth])
}

/** (batch, keyCapacity, keyValueHeads · d) -> (batch · keyValueHeads, keys, d). */
const keysByHead = (x: Tensor, { batch, keys, keyValueHeads, headWidth }: AttentionSizes): Tensor =>
  permute(slice(x, 1, 0, keys).share([batch, keys, keyValueHeads, headWidth]), [0, 2, 1, 3]).share([
    batch * keyValueHeads,
    keys,
    headWidth,
  ])

const keysFromHeads = <A extends Axes>(
  x: Tensor,
  { batch, keys, keyCapacity, keyValueHeads, headWidth }: AttentionSizes,
): Tensor<A> => {
  const joined = permute(x.share([batch, keyValueHeads, keys, headWidth]), [0, 2, 1, 3])
  return pad(joined.share<A>([batch, keys, keyValueHeads * headWidth]), 1, 0, keyCapacity)
}

/** 0 where query i may see key j, else -infinity; (queries, keys). */
const causalMask = (beside: Tensor, queries: number, keys: number): Tensor =>
  tensor(
    beside.engine,
    [queries, keys],
    Float64Array.from({ length: queries * keys }, (_, at) =>
      at % keys <= Math.floor(at / keys) + keys - queries ? 0 : -Infinity,
    ),
  )

/** Attention weights (batch, heads, queries, keys), by the derivation. `mask` is added to the scores and broadcasts to (batch, heads, queries, keys). */
export const attentionWeights = (
  query: Tensor,
  key: Tensor,
  sizes: AttentionSizes,
  mask: Tensor | null = null,
): Tensor =>
  scope(() => {
    const { batch, heads, queries, keys } = sizes
    const scores = scale(
      matmulTransposed(groupQueries(query, sizes), keysByHead(key, sizes), { transposeY: true }),
      sizes.scale,
    )
    const perHead = scores.share([batch, heads, queries, keys])
    const causal = sizes.causal ? add(perHead, causalMask(query, queries, keys)) : perHead
    return softmax(mask === null ? causal : add(causal, mask))
  })

/** weights (batch, heads, queries, keys) times values. */
export const weightedValues = <A extends Axes>(weights: Tensor, value: Tensor, sizes: AttentionSizes): Tensor<A> =>
  scope(() => ungroupQueries<A>(matmulTransposed(groupedWeights(weights, sizes), keysByHead(value, sizes), {}), sizes))

const groupedWeights = (weights: Tensor, { batch, heads, keyValueHeads, queries, keys }: AttentionSizes): Tensor =>
  weights.share([batch * keyValueHeads, (heads / keyValueHeads) * queries, keys])

/** The pullback of `weightedValues(attentionWeights(query, key), value)`, given the weights. */
export const weightedPullback = <Q extends Axes, K extends Axes, V extends Axes>(
  dOut: Tensor<Q>,
  weights: Tensor,
  query: Tensor<Q>,
  key: Tensor<K>,
  value: Tensor<V>,
  sizes: AttentionSizes,
): AttentionGradients<Q, K, V> =>
  scope(() => {
    const p = groupedWeights(weights, sizes)
    const d = groupQueries(dOut, sizes)
    const dValue = keysFromHeads<V>(matmulTransposed(p, d, { transposeX: true }), sizes)
    const dScores = scale(
      softmaxPullback(matmulTransposed(d, keysByHead(value, sizes), { transposeY: true }), p),
      sizes.scale,
    )
    const dQuery = ungroupQueries<Q>(matmulTransposed(dScores, keysByHead(key, sizes), {}), sizes)
    const dKey = keysFromHeads<K>(matmulTransposed(dScores, groupQueries(query, sizes), { transposeX: true }), sizes)
    return { dQuery, dKey, dValue }
  })
