/** Pure operators over the kernels: value and pullback side by side, one idea a file. */
export { activation, gelu, geluTanh, relu, sigmoid, silu, tanh } from './activation.ts'
export { type AttentionState, attended, joinStates, noKeys, stateOfKeys } from './attention/attentionState.ts'
export { paddingMask, slidingWindowMask } from './attention/masks.ts'
export { type AttentionOptions, scaledDotProductAttention } from './attention/scaledDotProductAttention.ts'
export {
  type GroupedQueryOptions,
  groupedQuerySelfAttention,
  type SelfAttentionOptions,
  selfAttention,
} from './attention/selfAttention.ts'
export { splitQueryKeyValue } from './attention/splitQueryKeyValue.ts'
export * as diffusion from './diffusion/index.ts'
export { dropout } from './dropout.ts'
export { type EmbeddingOptions, embedding, unembedding } from './embedding.ts'
export { type FeedForwardOptions, feedForward, swiGlu } from './feedForward.ts'
export type { Hidden, Logits } from './hidden.ts'
export { lastPosition } from './lastPosition.ts'
export { type LinearOptions, linear } from './linear.ts'
export { crossEntropy } from './loss/crossEntropy.ts'
export { multiply } from './multiply.ts'
export { type LayerNormOptions, layerNorm } from './norm/layerNorm.ts'
export { type RmsNormOptions, rmsNorm } from './norm/rmsNorm.ts'
export * from './optimizer/index.ts'
export { learnedPositions } from './position/learnedPositions.ts'
export { type RotaryOptions, rotaryPositions } from './position/rotaryPositions.ts'
export { sinusoidalPositions } from './position/sinusoidalPositions.ts'
export * from './sampling/index.ts'
export { softmax } from './softmax.ts'
export { stopGradient } from './stopGradient.ts'
export { tap } from './tap.ts'
export * from './token/index.ts'
