import type { AttentionSizes } from '../engine/fused.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { type AttentionGradients, attentionWeights, weightedPullback, weightedValues } from './attentionWeights.ts'
import { expectShape, isPositive, sameShape } from './axis.ts'
import { zeros } from './fill.ts'
import { launch } from './launch.ts'
import { SOFTMAX_FLOPS, SOFTMAX_PULLBACK_FLOPS } from './softmax.ts'

export interface AttentionOptions {
  readonly heads: number
  /** Fewer than `heads` groups queries over shared keys and values (GQA, arXiv 2305.13245); query head h reads head ⌊h / (heads / keyValueHeads)⌋. */
  readonly keyValueHeads?: number
  /** Query i sees keys 0 … i + keys - queries. */
  readonly causal: boolean
  /** Keys that count, from the first; the rest of the key axis is a cache's free space. */
  readonly keys?: number
  /** 1 / √headWidth unless said (arXiv 1706.03762, 3.2.1). */
  readonly scale?: number
}

export interface Attended<A extends Axes> {
  readonly value: Tensor<A>
  /** log Σ exp of each query's scores, (batch, heads, queries): what a fused pullback needs instead of the weights. Empty from the derivation. */
  readonly logSumExp: Tensor
}

/** From shapes alone. */
type Shaped = Pick<Tensor, 'shape'>

export const attentionSizes = (
  query: Shaped,
  key: Shaped,
  value: Shaped,
  options: AttentionOptions,
): AttentionSizes => {
  const { heads, keyValueHeads = heads, causal } = options
  const [batch, queries, width] = query.shape
  const [keyBatch, keyCapacity, keyWidth] = key.shape
  if (query.shape.length !== 3 || key.shape.length !== 3)
    throw new ShapeError(`attention: query [${query.shape}] and key [${key.shape}] are not (batch, time, width)`)
  if (![heads, keyValueHeads].every(isPositive) || width % heads !== 0 || heads % keyValueHeads !== 0)
    throw new ShapeError(`attention: width ${width} into ${heads} heads over ${keyValueHeads} key-value heads`)
  const headWidth = width / heads
  if (keyBatch !== batch || keyWidth !== headWidth * keyValueHeads || !sameShape(key.shape, value.shape))
    throw new ShapeError(
      `attention: query [${query.shape}], key [${key.shape}] and value [${value.shape}] do not fit ${heads} heads over ${keyValueHeads}`,
    )
  const keys = options.keys ?? keyCapacity
  if (!Number.isInteger(keys) || keys < 0 || keys > keyCapacity || (causal && keys < queries))
    throw new ShapeError(`attention: ${queries} queries over ${keys} keys of ${keyCapacity}`)
  return {
    batch,
    queries,
    keys,
    keyCapacity,
    heads,
    keyValueHeads,
    headWidth,
    causal,
    scale: options.scale ?? 1 / Math.sqrt(headWidth),
  }
}

/** Pairs of query and key that meet; a causal mask leaves about half. */
const pairs = ({ batch, heads, queries, keys, causal }: AttentionSizes): number =>
  batch * heads * queries * (causal ? keys - (queries - 1) / 2 : keys)

/** Of a pair: its score, softmax and its part of the value. */
export const attentionFlops = (sizes: AttentionSizes): number =>
  pairs(sizes) * (2 * 2 * sizes.headWidth + SOFTMAX_FLOPS)
/** Of a pair: its score and weight once more, dWeight and through softmax, and its parts of dQuery, dKey and dValue. */
export const attentionPullbackFlops = (sizes: AttentionSizes): number =>
  pairs(sizes) * (5 * 2 * sizes.headWidth + SOFTMAX_FLOPS + SOFTMAX_PULLBACK_FLOPS)

/**
 * softmax(scale · Q Kᵀ + mask) V per head. query (batch, queries, heads · headWidth); key, value (batch, keys, keyValueHeads · headWidth).
 * Source: Vaswani et al., arXiv 1706.03762, eq. 1. Laws A3-A9, A12.
 * f32 bound: |error| ≤ (γ_{headWidth} |scale| |q|·|k| · 2 + γ_{keys}) max |v|.
 */
export const attention = <A extends Axes>(
  query: Tensor<A>,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions,
): Attended<A> => {
  const sizes = attentionSizes(query, key, value, options)
  const override = query.engine.fused.attention
  if (override === undefined) return derivedAttention(query, key, value, sizes)
  const out = empty<A>(query.engine, query.shape)
  const logSumExp = empty(query.engine, [sizes.batch, sizes.heads, sizes.queries])
  launch(query.engine, attentionFlops(sizes), query, key, value, out, logSumExp)
  // A cache's free space is not read.
  const { batch, keys, keyCapacity, keyValueHeads, headWidth } = sizes
  query.engine.counter.movedBytes -=
    2 * batch * (keyCapacity - keys) * keyValueHeads * headWidth * query.engine.bytesPerElement
  override(out.storage, logSumExp.storage, query.storage, key.storage, value.storage, sizes)
  return { value: out, logSumExp }
}

/** dV = Pᵀ dO; dS = P (dO Vᵀ - Σ dO O); dQ = scale · dS K; dK = scale · dSᵀ Q. Gradients past `keys` are zero. */
export const attentionPullback = <Q extends Axes, K extends Axes, V extends Axes>(
  dOut: Tensor<Q>,
  query: Tensor<Q>,
  key: Tensor<K>,
  value: Tensor<V>,
  { value: out, logSumExp }: Attended<Q>,
  options: AttentionOptions,
): AttentionGradients<Q, K, V> => {
  const sizes = attentionSizes(query, key, value, options)
  expectShape('attentionPullback', dOut.shape, query.shape)
  const override = query.engine.fused.attentionPullback
  if (override === undefined) return derivedPullback(dOut, query, key, value, sizes)
  const dQuery = empty<Q>(query.engine, query.shape)
  const dKey = empty<K>(query.engine, key.shape)
  const dValue = empty<V>(query.engine, value.shape)
  launch(query.engine, attentionPullbackFlops(sizes), dOut, query, key, value, out, logSumExp, dQuery, dKey, dValue)
  override(
    dQuery.storage,
    dKey.storage,
    dValue.storage,
    dOut.storage,
    query.storage,
    key.storage,
    value.storage,
    out.storage,
    logSumExp.storage,
    sizes,
  )
  return { dQuery, dKey, dValue }
}

const derivedAttention = <A extends Axes>(
  query: Tensor<A>,
  key: Tensor,
  value: Tensor,
  sizes: AttentionSizes,
): Attended<A> =>
  scope(() => ({
    value: weightedValues<A>(attentionWeights(query, key, sizes), value, sizes),
    // The derived pullback recomputes the weights and needs no statistics.
    logSumExp: zeros(query.engine, [0]),
  }))

const derivedPullback = <Q extends Axes, K extends Axes, V extends Axes>(
  dOut: Tensor<Q>,
  query: Tensor<Q>,
  key: Tensor<K>,
  value: Tensor<V>,
  sizes: AttentionSizes,
): AttentionGradients<Q, K, V> =>
  scope(() => weightedPullback(dOut, attentionWeights(query, key, sizes), query, key, value, sizes))
