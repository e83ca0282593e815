/** The kernels: every public one counts, checks shapes, and runs on the engine of its operands. */
export { activation, activationWithSlope, type Sloped } from './activation.ts'
export { type AdamWOperands, type AdamWStep, adamW } from './adamW.ts'
export { append } from './append.ts'
export { type AttentionOptions, attention, attentionPullback } from './attention.ts'
export { attentionWeights } from './attentionWeights.ts'
export { add, binary, divide, multiply, scalar, scale, subtract } from './binary.ts'
export {
  type ConvolutionOptions,
  channelSum,
  convolution,
  convolutionInputGradient,
  convolutionWeightGradient,
  type Kernels,
  type Planes,
} from './convolution.ts'
export { type CrossEntropyOptions, crossEntropy, crossEntropyPullback, crossEntropySizes } from './crossEntropy.ts'
export { dot } from './dot.ts'
export { dropout, uniformTensor } from './dropout.ts'
export { duplicate, full, zeros } from './fill.ts'
export { gather, scatterAdd } from './gather.ts'
export { groupNorm, groupNormPullback } from './groupNorm.ts'
export { type GruGradients, gruCell, gruCellPullback } from './gruCell.ts'
export { accumulate, take } from './inPlace.ts'
export { type JointAttentionOptions, jointAttention, jointAttentionPullback } from './jointAttention.ts'
export { layerNorm, layerNormPullback } from './layerNorm.ts'
export { linear, linearPullback } from './linear.ts'
export { accumulateEach, scaleEach, sumOfSquares } from './lists.ts'
export { type CellState, lstmCell, lstmCellPullback } from './lstmCell.ts'
export { matmul, matmulTransposed } from './matmul.ts'
export { permute } from './permute.ts'
export { maxPool, maxPoolPullback, type PoolOptions, spread, sumPool } from './pool.ts'
export { quantizedMatmul, roundToBlocks } from './quantizedMatmul.ts'
export { broadcastTo, max, reduce, reduceTo, sum, total } from './reduce.ts'
export { rmsNorm, rmsNormPullback } from './rmsNorm.ts'
export { rotary } from './rotary.ts'
export { concat, pad, slice, split } from './slice.ts'
export { softmax, softmaxPullback } from './softmax.ts'
export { exp, log, negate, square, unary } from './unary.ts'
