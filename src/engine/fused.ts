import type { WeightType } from '../format/quantized/hostMatrix.ts'
import type { Key } from '../random.ts'
import type { Storage } from '../tensor/storage.ts'
import type { MatmulSizes } from './primitives.ts'
import type { ConvolutionSizes, PoolSizes } from './window.ts'

export type Activation = 'relu' | 'gelu' | 'geluTanh' | 'silu' | 'tanh' | 'sigmoid'

export interface Rows {
  readonly rows: number
  readonly columns: number
}

/** A packed matrix of weights (src/format/quantized/pack.ts). */
export interface PackedSizes {
  readonly type: WeightType
  readonly inner: number
  readonly columns: number
}

/** x (rows, channels, positions): a row is a group of channels of an image, which has `groups` of them. */
export interface GroupNormSizes {
  readonly rows: number
  readonly groups: number
  readonly channels: number
  readonly positions: number
}

export interface RotarySizes {
  readonly batch: number
  readonly time: number
  readonly heads: number
  /** Half of a head's width: element i turns with element i + half (Hugging Face's "rotate half"). */
  readonly half: number
}

export interface AttentionSizes {
  readonly batch: number
  readonly queries: number
  /** Keys attended to; `keyCapacity` >= keys is the number of positions each batch row of key and value holds. */
  readonly keys: number
  readonly keyCapacity: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headWidth: number
  /** Query i sees keys 0 .. i + keys - queries. */
  readonly causal: boolean
  /** Scores are multiplied by it before the softmax. */
  readonly scale: number
}

export interface CrossEntropySizes extends Rows {
  readonly targets: Int32Array
  /** Rows with this target contribute nothing. */
  readonly ignoreIndex: number
  readonly labelSmoothing: number
}

export interface AdamWNumbers {
  readonly rate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** 1 - beta^t, for the bias corrections. */
  readonly correction1: number
  readonly correction2: number
}

export interface AdamWTensors {
  readonly update: Storage
  readonly firstMoment: Storage
  readonly secondMoment: Storage
  readonly gradient: Storage
  readonly parameter: Storage
  readonly weightDecay: number
  readonly size: number
}

/** Kernels with a derivation from primitives in `src/kernel`; an engine overrides those worth it. */
export interface Fused {
  /** x (rows, inner) times weight (inner, columns) or, transposed, (columns, inner), plus bias (columns). */
  linear(out: Storage, x: Storage, weight: Storage, bias: Storage | null, sizes: MatmulSizes): void
  /** x (rows, inner) times packed weights, plus bias (columns); q8_0 rounds x to blocks first. An engine that has it has `quantizedGather`. */
  quantizedMatmul(
    out: Storage,
    x: Storage,
    weight: Storage,
    bias: Storage | null,
    sizes: PackedSizes & { readonly rows: number },
  ): void
  /** out[i, :] = the weights of column ids[i] of a packed matrix, widened. */
  quantizedGather(out: Storage, table: Storage, ids: Int32Array, sizes: PackedSizes): void
  softmax(out: Storage, x: Storage, size: Rows): void
  softmaxPullback(dx: Storage, dy: Storage, y: Storage, size: Rows): void
  activation(kind: Activation, out: Storage, x: Storage, size: number): void
  /** out = f(x) and slope = f'(x), by which the pullback multiplies. */
  activationWithSlope(kind: Activation, out: Storage, slope: Storage, x: Storage, size: number): void
  /** mean and reciprocal deviation: one number a row, kept for the pullback. */
  layerNorm(
    out: Storage,
    mean: Storage,
    deviation: Storage,
    x: Storage,
    weight: Storage | null,
    bias: Storage | null,
    epsilon: number,
    size: Rows,
  ): void
  layerNormPullback(
    dx: Storage,
    dWeight: Storage | null,
    dBias: Storage | null,
    dy: Storage,
    x: Storage,
    weight: Storage | null,
    mean: Storage,
    deviation: Storage,
    size: Rows,
  ): void
  rmsNorm(out: Storage, deviation: Storage, x: Storage, weight: Storage | null, epsilon: number, size: Rows): void
  rmsNormPullback(
    dx: Storage,
    dWeight: Storage | null,
    dy: Storage,
    x: Storage,
    weight: Storage | null,
    deviation: Storage,
    size: Rows,
  ): void
  /** weight and bias: a number a channel of an image; mean and reciprocal deviation: a number a row. */
  groupNorm(
    out: Storage,
    mean: Storage,
    deviation: Storage,
    x: Storage,
    weight: Storage,
    bias: Storage,
    epsilon: number,
    sizes: GroupNormSizes,
  ): void
  /** dWeights and dBiases: a number a channel of each image, to be added up over images. */
  groupNormPullback(
    dx: Storage,
    dWeights: Storage,
    dBiases: Storage,
    dy: Storage,
    x: Storage,
    weight: Storage,
    mean: Storage,
    deviation: Storage,
    sizes: GroupNormSizes,
  ): void
  /** x (batch, time, heads, 2 half); cosine and sine (time, half). `inverse` turns the other way: the pullback. */
  rotary(out: Storage, x: Storage, cosine: Storage, sine: Storage, inverse: boolean, sizes: RotarySizes): void
  /** query (batch, queries, heads * headWidth); key, value (batch, keyCapacity, keyValueHeads * headWidth); logSumExp (batch, heads, queries). */
  attention(out: Storage, logSumExp: Storage, query: Storage, key: Storage, value: Storage, sizes: AttentionSizes): void
  attentionPullback(
    dQuery: Storage,
    dKey: Storage,
    dValue: Storage,
    dOut: Storage,
    query: Storage,
    key: Storage,
    value: Storage,
    out: Storage,
    logSumExp: Storage,
    sizes: AttentionSizes,
  ): void
  /** As attention, query, key and value side by side: joint (batch, keys, (heads + 2 keyValueHeads) * headWidth), as many queries as keys. */
  jointAttention(out: Storage, logSumExp: Storage, joint: Storage, sizes: AttentionSizes): void
  jointAttentionPullback(
    dJoint: Storage,
    dOut: Storage,
    joint: Storage,
    out: Storage,
    logSumExp: Storage,
    sizes: AttentionSizes,
  ): void
  /** Each output is one sum over (inputs, kernelHeight, kernelWidth), in an order that depends on the sizes alone, its batch left out. */
  convolution(y: Storage, x: Storage, weight: Storage, bias: Storage | null, sizes: ConvolutionSizes): void
  convolutionInputGradient(dx: Storage, dy: Storage, weight: Storage, sizes: ConvolutionSizes): void
  convolutionWeightGradient(dWeight: Storage, dy: Storage, x: Storage, sizes: ConvolutionSizes): void
  maxPool(y: Storage, x: Storage, sizes: PoolSizes): void
  /** dy to the first largest element of each window, row by row. */
  maxPoolPullback(dx: Storage, dy: Storage, x: Storage, sizes: PoolSizes): void
  /** `factor` times the sum under each window. */
  sumPool(y: Storage, x: Storage, factor: number, sizes: PoolSizes): void
  /** The adjoint of sumPool. */
  spread(dx: Storage, dy: Storage, factor: number, sizes: PoolSizes): void
  /** Gates i, f, g, o side by side, 4 columns a row. */
  lstmCell(hidden: Storage, next: Storage, gates: Storage, cell: Storage, size: Rows): void
  lstmCellPullback(
    dGates: Storage,
    dCell: Storage,
    dHidden: Storage,
    dNext: Storage,
    gates: Storage,
    cell: Storage,
    size: Rows,
  ): void
  /** Gates r, z, n side by side, 3 columns a row, from the input and from the hidden state. */
  gruCell(next: Storage, fromInput: Storage, fromHidden: Storage, hidden: Storage, size: Rows): void
  gruCellPullback(
    dFromInput: Storage,
    dFromHidden: Storage,
    dHidden: Storage,
    dNext: Storage,
    fromInput: Storage,
    fromHidden: Storage,
    hidden: Storage,
    size: Rows,
  ): void
  /** losses and logSumExp: one number a row. */
  crossEntropy(losses: Storage, logSumExp: Storage, logits: Storage, sizes: CrossEntropySizes): void
  /** dLosses: one number a row. */
  crossEntropyPullback(
    dLogits: Storage,
    dLosses: Storage,
    logits: Storage,
    logSumExp: Storage,
    sizes: CrossEntropySizes,
  ): void
  /**
   * out = x with each element zeroed with probability `rate`, the others divided by 1 - rate; the mask is the key's uniforms >= rate. An element
   * zeroed that is not finite is 0, or NaN where the mask is a factor, as in the derivation.
   */
  dropout(out: Storage, x: Storage, key: Key, rate: number, size: number): void
  /** out (1) = sum of x * y. */
  dot(out: Storage, x: Storage, y: Storage, size: number): void
  /**
   * Of every tensor, in place on both moments:
   * update = -rate * (m / correction1 / (sqrt(v / correction2) + epsilon) + weightDecay * parameter).
   */
  adamW(tensors: readonly AdamWTensors[], numbers: AdamWNumbers): void
  /** out (1) = the sum of x * x over all numbers of all xs. */
  sumOfSquares(out: Storage, xs: readonly Storage[], sizes: readonly number[]): void
  /** Each out = x * factor, a storage of one number. */
  scaleEach(outs: readonly Storage[], xs: readonly Storage[], factor: Storage, sizes: readonly number[]): void
  /** In place: each out += x. */
  accumulateEach(outs: readonly Storage[], xs: readonly Storage[], sizes: readonly number[]): void
}
