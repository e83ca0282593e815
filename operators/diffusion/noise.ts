import type { Engine } from '../../src/engine/engine.ts'
import { type Key, normal } from '../../src/random.ts'
import { type Axes, type Shape, sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts'

/**
 * Standard normal noise of a key, drawn on the host in f64 and rounded once: every engine gets the same numbers, and a row the same in any batch (laws
 * R4, L1).
 */
export const noiseOf = <const A extends Axes>(engine: Engine, shape: Shape, key: Key): Tensor<A> =>
  tensor<A>(engine, shape, normal(key, sizeOf(shape)))

/** Noise of x's shape, beside it. */
export const noiseLike = (x: Tensor, key: Key): Tensor => noiseOf(x.engine, x.shape, key)
