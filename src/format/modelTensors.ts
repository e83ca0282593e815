/** A checkpoint's tensors, checked once at the border: named one way, all there, of the right shapes, real numbers, no strangers. */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import type { ModelConfig } from '../codec/model.ts'
import { InputError } from '../errors.ts'
import { gpt2Names, gpt2Shapes } from './gpt2Names.ts'
import type { DType, HostTensors } from './hostTensor.ts'
import { llamaNames, llamaShapes } from './llamaNames.ts'

const REAL: ReadonlySet<DType> = new Set<DType>(['F64', 'F32', 'F16', 'BF16'])

/** Holds tensors to a list of names and shapes; the first difference is an InputError. */
export const checkTensors = (
  shapes: ReadonlyMap<string, readonly number[]>,
  tensors: HostTensors,
  where: string,
): E.Either<InputError, HostTensors> => {
  const wrong = (name: string, expected: string, found: string) =>
    E.left(new InputError(`${where}: ${name}: expected ${expected}, found ${found}`))
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name)
    if (tensor === undefined) return wrong(name, `a tensor [${shape}]`, 'none')
    if (tensor.shape.join() !== shape.join()) return wrong(name, `shape [${shape}]`, `[${tensor.shape}]`)
    if (!REAL.has(tensor.dtype)) return wrong(name, [...REAL].join(' or '), tensor.dtype)
  }
  for (const [name, tensor] of tensors) {
    if (!shapes.has(name)) return wrong(name, 'no such tensor for this configuration', `one of shape [${tensor.shape}]`)
  }
  return E.right(tensors)
}

/** Names normalised for the configuration's model type, then names and shapes checked against it. */
export const modelTensors = (
  config: ModelConfig,
  tensors: HostTensors,
  where: string,
): E.Either<InputError, HostTensors> =>
  config.model_type === 'gpt2'
    ? pipe(
        gpt2Names(config, tensors, where),
        E.chain(named => checkTensors(gpt2Shapes(config), named, where)),
      )
    : pipe(
        llamaNames(config, tensors, where),
        E.chain(named => checkTensors(llamaShapes(config), named, where)),
      )
