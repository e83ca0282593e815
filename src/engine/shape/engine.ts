import { UsedAfterFreeError } from '../../errors.ts'
import { Storage } from '../../tensor/storage.ts'
import { countAllocation, counter, countFree } from '../counter.ts'
import type { Engine } from '../engine.ts'
import type { Fused } from '../fused.ts'
import type { Primitives } from '../primitives.ts'

const BYTES = 4

class ShapeStorage extends Storage {
  held = true
}

const nothing = (): void => {}

const primitives: Primitives = {
  fill: nothing,
  copy: nothing,
  unary: nothing,
  binary: nothing,
  reduce: nothing,
  matmul: nothing,
  gather: nothing,
  scatterAdd: nothing,
  permute: nothing,
  slice: nothing,
  pad: nothing,
  assign: nothing,
  accumulate: nothing,
  uniform: nothing,
}

const fused: Fused = {
  linear: nothing,
  quantizedMatmul: nothing,
  quantizedGather: nothing,
  softmax: nothing,
  softmaxPullback: nothing,
  activation: nothing,
  activationWithSlope: nothing,
  layerNorm: nothing,
  layerNormPullback: nothing,
  rmsNorm: nothing,
  rmsNormPullback: nothing,
  groupNorm: nothing,
  groupNormPullback: nothing,
  rotary: nothing,
  attention: nothing,
  attentionPullback: nothing,
  jointAttention: nothing,
  jointAttentionPullback: nothing,
  convolution: nothing,
  convolutionInputGradient: nothing,
  convolutionWeightGradient: nothing,
  maxPool: nothing,
  maxPoolPullback: nothing,
  sumPool: nothing,
  spread: nothing,
  lstmCell: nothing,
  lstmCellPullback: nothing,
  gruCell: nothing,
  gruCellPullback: nothing,
  crossEntropy: nothing,
  crossEntropyPullback: nothing,
  dropout: nothing,
  dot: nothing,
  adamW: nothing,
  sumOfSquares: nothing,
  scaleEach: nothing,
  accumulateEach: nothing,
}

/**
 * Computes nothing: running a model on it checks the shapes, declares the parameters and counts FLOPs, bytes and peak memory, since the
 * kernels' public functions count before they reach an engine. It overrides every fused kernel, as the fast engines do.
 */
export const shapeEngine = (): Engine => {
  const count = counter()
  const engine: Engine = {
    name: 'shape',
    backend: 'none',
    fallbackReason: '',
    bytesPerElement: BYTES,
    counter: count,
    primitives,
    fused,
    allocate: size => {
      countAllocation(count, size * BYTES)
      return new ShapeStorage(engine, size)
    },
    free: storage => {
      if (!(storage instanceof ShapeStorage) || storage.engine !== engine || !storage.held)
        throw new UsedAfterFreeError('a storage was freed twice, or by an engine that does not own it')
      storage.held = false
      countFree(count, storage.size * BYTES)
    },
    write: nothing,
    read: () => {
      throw new TypeError('the shape engine computes no values')
    },
  }
  return engine
}
