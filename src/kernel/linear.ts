import type { MatmulSizes } from '../engine/primitives.ts'
import { ShapeError } from '../errors.ts'
import { isTensor, type Weight } from '../tensor/quantizedMatrix.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, replaceAt, rowsOf } from './axis.ts'
import { add } from './binary.ts'
import { launch } from './launch.ts'
import { matmulTransposed } from './matmul.ts'
import { quantizedMatmul } from './quantizedMatmul.ts'
import { reduceTo } from './reduce.ts'

/**
 * y = x W + b over the last axis of x, W in whatever bits (`quantizedMatmul`). W is (inner, columns) as in GPT-2's Conv1D, or with `transposed` (columns, inner) as in PyTorch's Linear.
 * Pullback: dx = dy Wᵀ, dW = Σ xᵀ dy, db = Σ dy.
 */
export const linear = <const B extends Axes>(
  x: Tensor,
  weight: Weight,
  bias: Tensor | null,
  transposed: boolean,
): Tensor<B> => {
  if (!isTensor(weight)) {
    if (weight.innerFirst === transposed)
      throw new ShapeError(`linear: weight [${weight.shape}] is in blocks along the wrong axis`)
    return quantizedMatmul(x, weight, bias)
  }
  const [first, second] = weight.shape
  const [inner, columns] = transposed ? [second, first] : [first, second]
  const { rows, columns: found } = rowsOf(x)
  if (found !== inner || weight.shape.length !== 2)
    throw new ShapeError(`linear: weight [${weight.shape}] takes rows of ${inner}, found shape [${x.shape}]`)
  if (bias !== null) expectShape('linear bias', bias.shape, [columns])
  const sizes: MatmulSizes = {
    batch: 1,
    xBatched: false,
    yBatched: false,
    rows,
    inner,
    columns,
    transposeX: false,
    transposeY: transposed,
  }
  const override = x.engine.fused.linear
  if (override === undefined)
    return scope(() => {
      const shape = replaceAt(x.shape, x.shape.length - 1, columns)
      const product = matmulTransposed(x.share([rows, inner]), weight, { transposeY: transposed })
      return (bias === null ? product : add(product, bias)).share<B>(shape)
    })
  const y = empty<B>(x.engine, replaceAt(x.shape, x.shape.length - 1, columns))
  launch(x.engine, 2 * rows * inner * columns, x, weight, bias, y)
  override(y.storage, x.storage, weight.storage, bias?.storage ?? null, sizes)
  return y
}

export interface LinearGradients<A extends Axes> {
  readonly dx: Tensor<A>
  readonly dWeight: Tensor
  readonly dBias: Tensor | null
}

export const linearPullback = <A extends Axes>(
  dy: Tensor,
  x: Tensor<A>,
  weight: Tensor,
  hasBias: boolean,
  transposed: boolean,
): LinearGradients<A> =>
  scope(() => {
    const { rows, columns: inner } = rowsOf(x)
    const columns = rowsOf(dy).columns
    const flatX = x.share([rows, inner])
    const flatDy = dy.share([rows, columns])
    const dx = matmulTransposed(flatDy, weight, { transposeY: !transposed }).share<A>(x.shape)
    const dWeight = transposed
      ? matmulTransposed(flatDy, flatX, { transposeX: true })
      : matmulTransposed(flatX, flatDy, { transposeX: true })
    return { dx, dWeight, dBias: hasBias ? reduceTo(flatDy, [columns]) : null }
  })
