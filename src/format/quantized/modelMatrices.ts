/**
 * The matrices of a checkpoint that may be in fewer bits: those that products and lookups read. In files, q8_0 is a tensor `<name>` (I8, the
 * model's shape) and `<name>.scales` (F16, that shape with the inner axis in blocks of 32).
 */
import * as E from 'fp-ts/lib/Either.js'
import { orThrow } from '../../codec/decode.ts'
import type { ModelConfig } from '../../codec/model.ts'
import { InputError } from '../../errors.ts'
import { gpt2Shapes } from '../gpt2Names.ts'
import { f32, floats, type HostTensor, type HostTensors } from '../hostTensor.ts'
import { llamaShapes } from '../llamaNames.ts'
import { type HostMatrix, scalesShape, type WeightType, widened } from './hostMatrix.ts'

export interface MatrixShape {
  readonly shape: readonly [number, number]
  readonly innerAxis: 0 | 1
}

const SCALES = '.scales'
export const scalesName = (name: string): string => name + SCALES

/** The exponent of infinities and NaNs. */
const EXPONENT = 0x7c00
const notFinite = (half: number): boolean => (half & EXPONENT) === EXPONENT

/** Shape and inner axis of the matrices of a model, by name. Positions are added, not multiplied: they stay as they are. */
export const matricesOf = (config: ModelConfig): ReadonlyMap<string, MatrixShape> => {
  const gpt2 = config.model_type === 'gpt2'
  const matrices = new Map<string, MatrixShape>()
  for (const [name, [first = 0, second, ...more]] of gpt2 ? gpt2Shapes(config) : llamaShapes(config)) {
    if (second === undefined || more.length > 0 || name === 'wpe.weight') continue
    // Conv1D stores (inputs, outputs), all others (outputs, inputs).
    matrices.set(name, { shape: [first, second], innerAxis: gpt2 && name.startsWith('h.') ? 0 : 1 })
  }
  return matrices
}

/** The matrices that a checkpoint stores in fewer bits, with their types. */
export const storedMatrices = (
  config: ModelConfig,
  tensors: HostTensors,
): ReadonlyMap<string, MatrixShape & { readonly type: WeightType }> => {
  const stored = new Map<string, MatrixShape & { readonly type: WeightType }>()
  for (const [name, at] of matricesOf(config)) {
    const dtype = tensors.get(name)?.dtype
    if (dtype === 'I8' || dtype === 'F16') stored.set(name, { ...at, type: dtype === 'I8' ? 'q8_0' : 'f16' })
  }
  return stored
}

/** The scales of a q8_0 tensor, checked: there, of the right shape, finite. */
export const scalesIn = (
  tensors: HostTensors,
  name: string,
  { shape, innerAxis }: MatrixShape,
  where: string,
): E.Either<InputError, Uint16Array> => {
  const wrong = (expected: string, found: string) =>
    E.left(new InputError(`${where}: ${scalesName(name)}: expected ${expected}, found ${found}`))
  const scales = tensors.get(scalesName(name))
  const wanted = scalesShape(shape, innerAxis)
  if (scales?.dtype !== 'F16' || scales.shape.join() !== wanted.join())
    return wrong(`F16 [${wanted}]`, scales === undefined ? 'none' : `${scales.dtype} [${scales.shape}]`)
  const at = scales.data.findIndex(notFinite)
  return at < 0 ? E.right(scales.data) : wrong('finite numbers', `another at ${at}`)
}

/** A stored tensor as a matrix in fewer bits, or null where it is in none: f16 with infinities or NaNs is not, since its kernels have neither. */
export const matrixIn = (tensors: HostTensors, name: string, at: MatrixShape): HostMatrix | null => {
  const tensor = tensors.get(name)
  if (tensor?.dtype === 'I8')
    return { type: 'q8_0', ...at, values: tensor.data, scales: orThrow(scalesIn(tensors, name, at, 'quantized')) }
  if (tensor?.dtype !== 'F16' || tensor.data.some(notFinite)) return null
  return { type: 'f16', ...at, values: tensor.data }
}

/** A matrix as the tensors that files hold. */
export const tensorsOfMatrix = (name: string, matrix: HostMatrix): readonly (readonly [string, HostTensor])[] => {
  const { shape, innerAxis } = matrix
  if (matrix.type === 'f16') return [[name, { dtype: 'F16', shape, data: matrix.values }]]
  return [
    [name, { dtype: 'I8', shape, data: matrix.values }],
    [scalesName(name), { dtype: 'F16', shape: scalesShape(shape, innerAxis), data: matrix.scales }],
  ]
}

/** The same checkpoint with every q8_0 matrix as f32, exactly, and no scales. */
export const withoutBlocks = (config: ModelConfig, tensors: HostTensors): HostTensors => {
  if (config.quantization_config === null) return tensors
  const matrices = matricesOf(config)
  const plain = new Map<string, HostTensor>()
  for (const [name, tensor] of tensors) {
    const at = matrices.get(name)
    if (name.endsWith(SCALES)) continue
    const matrix = at === undefined || tensor.dtype !== 'I8' ? null : matrixIn(tensors, name, at)
    plain.set(name, matrix === null ? f32(tensor.shape, floats(tensor)) : f32(tensor.shape, widened(matrix)))
  }
  return plain
}
