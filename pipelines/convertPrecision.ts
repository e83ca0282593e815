import type { ModelKind } from '../src/codec/kind.ts'
import { f32ToBf16, f32ToF16 } from '../src/format/half.ts'
import { f32, floats, type HostTensor, type HostTensors } from '../src/format/hostTensor.ts'
import { withoutBlocks } from '../src/format/quantized/modelMatrices.ts'
import { autoencoderFiles, readAutoencoder } from './diffusion/autoencoderFolder.ts'
import { readDenoiser } from './diffusion/denoisingFiles.ts'
import { denoiserFiles } from './diffusion/denoisingFolder.ts'
import { bytesOfWeights, expectNoModel, folderSource, readFolder, rewriteFolder, writeFiles } from './folder.ts'
import { modelKind } from './modelFiles.ts'

/** Element types that weights are stored in; computing is f32 in any case. */
export const precisions = ['F32', 'F16', 'BF16'] as const
export type Precision = (typeof precisions)[number]

/** A tensor's numbers in another precision, rounded to nearest even. */
export const inPrecision = (tensor: HostTensor, precision: Precision): HostTensor => {
  const { shape } = tensor
  const data = floats(tensor)
  switch (precision) {
    case 'F32':
      return f32(shape, data)
    case 'F16':
      return { dtype: 'F16', shape, data: f32ToF16(data) }
    case 'BF16':
      return { dtype: 'BF16', shape, data: f32ToBf16(data) }
  }
}

/**
 * A model folder of any kind with its weights in another precision, quantized ones widened; returns the bytes of the weights. The tokenizer's files go along as they
 * are. A folder that holds a model already is an InputError.
 */
export const convertPrecision = (folder: string, precision: Precision, out: string): number => {
  expectNoModel(out)
  const source = folderSource(folder)
  const converted = (tensors: HostTensors): HostTensors =>
    new Map([...tensors].map(([name, tensor]) => [name, inPrecision(tensor, precision)]))
  const write: Readonly<Record<ModelKind, () => HostTensors>> = {
    'a language model': () => {
      const model = readFolder(folder)
      const { config } = model
      const tensors = converted(withoutBlocks(config, model.tensors))
      rewriteFolder(folder, { ...model, config: { ...config, quantization_config: null }, tensors }, out)
      return tensors
    },
    'a diffusion model': () => {
      const model = readDenoiser(source)
      const tensors = converted(model.tensors)
      writeFiles(out, denoiserFiles({ ...model, tensors }))
      return tensors
    },
    'an autoencoder': () => {
      const { config, tensors: before } = readAutoencoder(source)
      const tensors = converted(before)
      writeFiles(out, autoencoderFiles({ config, tensors }))
      return tensors
    },
  }
  return bytesOfWeights(write[modelKind(source)]())
}
