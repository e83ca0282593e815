import { Q8_0 } from '../src/codec/quantization.ts'
import { InputError } from '../src/errors.ts'
import { floats, type HostTensor } from '../src/format/hostTensor.ts'
import type { WeightType } from '../src/format/quantized/hostMatrix.ts'
import { matricesOf, tensorsOfMatrix } from '../src/format/quantized/modelMatrices.ts'
import { halveMatrix, quantizeMatrix } from '../src/format/quantized/quantizeMatrix.ts'
import type { ModelFiles } from './modelFiles.ts'

export const weightTypes = ['q8_0', 'f16'] as const satisfies readonly WeightType[]

/**
 * A model with the matrices of its products and lookups in fewer bits: q8_0 (8.5 bits a weight: blocks of 32 with a binary16 scale, as in
 * llama.cpp) or f16. Norms, biases and positions stay as they are. A model that is quantized already is an InputError that begins with `where`.
 */
export const quantize = <M extends Pick<ModelFiles, 'config' | 'tensors'>>(
  model: M,
  to: WeightType,
  where = 'model',
): M => {
  const { config, tensors } = model
  if (config.quantization_config !== null)
    throw new InputError(
      `${where}: quantization_config: expected a model that is not quantized, found ${config.quantization_config.quant_method}`,
    )
  const matrices = matricesOf(config)
  const make = to === 'f16' ? halveMatrix : quantizeMatrix
  const stored = new Map<string, HostTensor>()
  for (const [name, tensor] of tensors) {
    const at = matrices.get(name)
    if (at === undefined) stored.set(name, tensor)
    else
      for (const [part, held] of tensorsOfMatrix(
        name,
        make(floats(tensor), at.shape, at.innerAxis, `${where}: ${name}`),
      ))
        stored.set(part, held)
  }
  return { ...model, config: { ...config, quantization_config: to === 'q8_0' ? Q8_0 : null }, tensors: stored }
}
