import type { Engine } from '../engine/engine.ts'
import { InputError } from '../errors.ts'
import { type HostMatrix, stridesOf, type WeightType, widened } from '../format/quantized/hostMatrix.ts'
import { pack, packedBytes } from '../format/quantized/pack.ts'
import { empty, type Shape, Tensor, tensor } from './tensor.ts'

/**
 * A matrix of weights in fewer bits, for products and lookups: `linear`, `gather` and the operators over them take it in a tensor's place.
 * It is no tensor, so nothing else does; it has no gradient.
 */
export interface QuantizedMatrix {
  readonly type: WeightType
  /** As the model has it. */
  readonly shape: Shape
  /** Length that products sum over, and the number of outputs (of rows, for a table of embeddings). */
  readonly inner: number
  readonly columns: number
  /** Whether the inner axis is the first one. */
  readonly innerFirst: boolean
  /** Packed bits, one cell for 32 of them, where the engine has kernels for them; else the weights themselves, widened, in `shape`. */
  readonly cells: Tensor
}

export type Weight = Tensor | QuantizedMatrix

export const isTensor = (weight: Weight): weight is Tensor => weight instanceof Tensor

/** Whether an engine computes with packed bits; on others a matrix lives widened. */
export const packs = (engine: Engine): boolean => engine.fused.quantizedMatmul !== undefined

/** Puts a matrix on an engine. */
export const quantizedMatrix = (engine: Engine, host: HostMatrix): QuantizedMatrix => {
  const { type, shape, innerAxis } = host
  const { inner, columns } = stridesOf(host)
  const packed = packs(engine) ? pack(host) : null
  const cells = packed === null ? tensor(engine, shape, widened(host)) : tensor(engine, [packed.length], packed)
  return { type, shape, inner, columns, innerFirst: innerAxis === 0, cells }
}

/** A matrix whose numbers are not written yet: what the `shape` engine needs. */
export const emptyMatrix = (engine: Engine, type: WeightType, shape: readonly [number, number], innerAxis: 0 | 1) => {
  const { inner, columns } = stridesOf({ shape, innerAxis })
  const cells = empty(engine, packs(engine) ? [packedBytes(type, inner, columns) / 4] : shape)
  return { type, shape, inner, columns, innerFirst: innerAxis === 0, cells }
}

/** The tensor that a weight must be to have a gradient; a typed error otherwise. */
export const trainable = (weight: Weight, path: string): Tensor => {
  if (isTensor(weight)) return weight
  throw new InputError(
    `${path}: expected weights that can be trained, found ${weight.type}; \`fluxion convert precision <folder> --to F32\` widens them`,
  )
}
