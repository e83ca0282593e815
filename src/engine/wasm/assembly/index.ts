/** Everything the engine calls. Addresses are bytes, sizes and strides elements, unless a kernel says otherwise. */
export * from './activation'
export { attention, attentionScratch } from './attention'
export { attentionPullback, attentionPullbackScratch } from './attentionPullback'
export {
  convolution, convolutionInputGradient, convolutionInputGradientPanels, convolutionInputGradientScratch,
  convolutionScratch, convolutionWeightGradient,
} from './convolution'
export * from './elementwise'
export { gemm, gemmBatch, gemmScratch } from './gemm'
export { halvesGather, halvesProduct, halvesScratch } from './halves'
export { groupNorm, groupNormPullback } from './groupNorm'
export { copyRows, gather, scatterAdd, transpose } from './move'
export { layerNorm, layerNormPullback, normWeightPullback, rmsNorm, rmsNormPullback } from './norm'
export { accumulateEach, adamW, scaleEach, squareParts, squaresOfParts } from './optimizer'
export { packRows } from './pack'
export { columnsFromPanels, gatherPanels, panelScratch, panelsFromColumns, unpackRows } from './panels'
export { maxPool, maxPoolPullback, spread, sumPool } from './pool'
export { dropout, randomScratch, uniform } from './random'
export { quantizedGather, quantizedProduct, quantizeRows } from './quantized'
export { gruCell, gruCellPullback, lstmCell, lstmCellPullback } from './recurrent'
export { dot, maxColumns, maxRows, sumColumns, sumRows } from './reduce'
export { readAhead } from './readAhead'
export { rotary } from './rotary'
export { copy, fill } from './simd'
export { crossEntropy, crossEntropyPullback, softmax, softmaxPullback } from './softmax'
export {
  winograd, winogradQuads, winogradScratch,
} from './winograd/winograd'
export { winogradWeightGradient, winogradWeightGradientScratch } from './winograd/weightGradient'
export { winogradWeights } from './winograd/weights'
