/** A checkpoint's tensors, checked once at the border: named one way, all there, of the right shapes, real numbers, no strangers. */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { ModelConfig } from '../codec/model.ts'
import { InputError } from '../errors.ts'
import { gpt2Names, gpt2Shapes } from './gpt2Names.ts'
import type { DType, HostTensors } from './hostTensor.ts'
import { llamaNames, llamaShapes } from './llamaNames.ts'
import { type MatrixShape, matricesOf, scalesIn, scalesName } from './quantized/modelMatrices.ts'

const REAL: ReadonlySet<DType> = new Set<DType>(['F64', 'F32', 'F16', 'BF16'])

/** Holds tensors to a list of names and shapes, `blocks` being those that may be q8_0; the first difference is an InputError. */
export const checkTensors = (
  shapes: ReadonlyMap<string, readonly number[]>,
  tensors: HostTensors,
  where: string,
  blocks: ReadonlyMap<string, MatrixShape> = new Map(),
): E.Either<InputError, HostTensors> => {
  const wrong = (name: string, expected: string, found: string) =>
    E.left(new InputError(`${where}: ${name}: expected ${expected}, found ${found}`))
  const known = new Set(shapes.keys())
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name)
    if (tensor === undefined) return wrong(name, `a tensor [${shape}]`, 'none')
    if (tensor.shape.join() !== shape.join()) return wrong(name, `shape [${shape}]`, `[${tensor.shape}]`)
    const matrix = tensor.dtype === 'I8' ? blocks.get(name) : undefined
    if (matrix !== undefined) {
      const scales = scalesIn(tensors, name, matrix, where)
      if (E.isLeft(scales)) return scales
      known.add(scalesName(name))
    } else if (!REAL.has(tensor.dtype)) return wrong(name, [...REAL].join(' or '), tensor.dtype)
  }
  for (const [name, tensor] of tensors) {
    if (!known.has(name)) return wrong(name, 'no such tensor for this configuration', `one of shape [${tensor.shape}]`)
  }
  return E.right(tensors)
}

/** Names normalised for the configuration's model type, then names and shapes checked against it. */
export const modelTensors = (
  config: ModelConfig,
  tensors: HostTensors,
  where: string,
): E.Either<InputError, HostTensors> => {
  const gpt2 = config.model_type === 'gpt2'
  const blocks = config.quantization_config === null ? undefined : matricesOf(config)
  return pipe(
    gpt2 ? gpt2Names(config, tensors, where) : llamaNames(config, tensors, where),
    E.chain(named => checkTensors(gpt2 ? gpt2Shapes(config) : llamaShapes(config), named, where, blocks)),
  )
}
