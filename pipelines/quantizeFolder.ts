import type { WeightType } from '../src/format/quantized/hostMatrix.ts'
import { bytesOfWeights, readFolder, rewriteFolder } from './folder.ts'
import { quantize } from './quantize.ts'

/** Bytes of a model's weights before and after. */
export interface Sizes {
  readonly before: number
  readonly after: number
}

/** A model folder with its matrices in fewer bits (`quantize`), its tokenizer's files as they are. */
export const quantizeFolder = (folder: string, to: WeightType, out: string): Sizes => {
  const model = readFolder(folder)
  const quantized = quantize(model, to, folder)
  rewriteFolder(folder, quantized, out)
  return { before: bytesOfWeights(model.tensors), after: bytesOfWeights(quantized.tensors) }
}
