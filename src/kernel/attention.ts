import type { AttentionSizes } from '../engine/engine.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor, tensor } from '../tensor/tensor.ts'
import { expectShape, sameShape } from './axis.ts'
import { add, scale } from './binary.ts'
import { zeros } from './fill.ts'
import { launch } from './launch.ts'
import { matmulTransposed } from './matmul.ts'
import { permute } from './permute.ts'
import { pad, slice } from './slice.ts'
import { softmax, softmaxPullback } from './softmax.ts'

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
  /** log Σ exp of each query's scores, (batch, heads, queries): what the pullback needs instead of the weights. */
  readonly logSumExp: Tensor
}

export const attentionSizes = (
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions,
): AttentionSizes => {
  const { heads, keyValueHeads = heads, causal } = options
  const [batch, queries, width] = query.shape
  const [keyBatch, keyCapacity, keyWidth] = key.shape
  if (
    batch === undefined ||
    queries === undefined ||
    width === undefined ||
    keyCapacity === undefined ||
    query.shape.length !== 3 ||
    key.shape.length !== 3
  )
    throw new ShapeError(`attention: query [${query.shape}] and key [${key.shape}] are not (batch, time, width)`)
  if (width % heads !== 0 || heads % keyValueHeads !== 0)
    throw new ShapeError(`attention: width ${width} into ${heads} heads over ${keyValueHeads} key-value heads`)
  const headWidth = width / heads
  if (keyBatch !== batch || keyWidth !== headWidth * keyValueHeads || !sameShape(key.shape, value.shape))
    throw new ShapeError(
      `attention: query [${query.shape}], key [${key.shape}] and value [${value.shape}] do not fit ${heads} heads over ${keyValueHeads}`,
    )
  const keys = options.keys ?? keyCapacity
  if (keys > keyCapacity || (causal && keys < queries))
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
  launch(query.engine, pairs(sizes) * (4 * sizes.headWidth + 5), query, key, value, out, logSumExp)
  override(out.storage, logSumExp.storage, query.storage, key.storage, value.storage, sizes)
  return { value: out, logSumExp }
}

export interface AttentionGradients<Q extends Axes, K extends Axes, V extends Axes> {
  readonly dQuery: Tensor<Q>
  readonly dKey: Tensor<K>
  readonly dValue: Tensor<V>
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
  launch(
    query.engine,
    pairs(sizes) * (10 * sizes.headWidth + 9),
    dOut,
    query,
    key,
    value,
    out,
    logSumExp,
    dQuery,
    dKey,
    dValue,
  )
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
export const causalMask = (beside: Tensor, queries: number, keys: number): Tensor =>
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
