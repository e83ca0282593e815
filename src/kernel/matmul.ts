import type { MatmulSizes } from '../engine/primitives.ts'
import { ShapeError } from '../errors.ts'
import { type Axes, empty, type Shape, sizeOf, type Tensor } from '../tensor/tensor.ts'
import { sameShape } from './axis.ts'
import { launch } from './launch.ts'

export interface Transposed {
  /** x is stored (…, inner, rows). */
  readonly transposeX?: boolean
  /** y is stored (…, columns, inner). */
  readonly transposeY?: boolean
}

/** Sizes of x y: leading axes of x fold into rows where y is one matrix, else both have the same leading axes. */
const matmulSizes = (x: Shape, y: Shape, transposeX: boolean, transposeY: boolean): MatmulSizes => {
  if (x.length < 2 || y.length < 2) throw new ShapeError(`matmul takes matrices, found shapes [${x}] and [${y}]`)
  const [x1, x2] = x.slice(-2)
  const [y1, y2] = y.slice(-2)
  const [rows, inner] = transposeX ? [x2, x1] : [x1, x2]
  const [innerY, columns] = transposeY ? [y2, y1] : [y1, y2]
  if (inner !== innerY)
    throw new ShapeError(
      `matmul of [${x}]${transposeX ? 'ᵀ' : ''} and [${y}]${transposeY ? 'ᵀ' : ''}: inner lengths ${inner} and ${innerY} differ`,
    )
  const lead = x.slice(0, -2)
  const batch = sizeOf(lead)
  const yBatched = y.length > 2
  if (yBatched && !sameShape(lead, y.slice(0, -2)))
    throw new ShapeError(`matmul of [${x}] and [${y}]: leading axes differ`)
  const folds = !yBatched && !transposeX
  return {
    batch: folds ? 1 : batch,
    xBatched: !folds,
    yBatched,
    rows: folds ? batch * rows : rows,
    inner,
    columns,
    transposeX,
    transposeY,
  }
}

/** As `matmul`, with operands stored transposed: shapes (…, rows, inner) and (…, inner, columns) after transposing. */
export const matmulTransposed = <const C extends Axes>(
  x: Tensor,
  y: Tensor,
  { transposeX = false, transposeY = false }: Transposed,
): Tensor<C> => {
  const sizes = matmulSizes(x.shape, y.shape, transposeX, transposeY)
  const rows = x.shape[x.shape.length - (transposeX ? 1 : 2)]
  const z = empty<C>(x.engine, [...x.shape.slice(0, -2), rows, sizes.columns])
  launch(x.engine, 2 * sizes.batch * sizes.rows * sizes.inner * sizes.columns, x, y, z)
  x.engine.primitives.matmul(z.storage, x.storage, y.storage, sizes)
  return z
}

/**
 * z = x y over the last two axes; y is one matrix for all of x's leading axes, or has the same leading axes.
 * Pullback: dx = dz yᵀ, dy = xᵀ dz. Laws K1, K3, D5, L1.
 */
export const matmul = <L extends Axes, A extends string, B extends string, M extends L | readonly [], C extends string>(
  x: Tensor<readonly [...L, A, B]>,
  y: Tensor<readonly [...M, NoInfer<B>, C]>,
): Tensor<readonly [...L, A, C]> => matmulTransposed<readonly [...L, A, C]>(x, y, {})
