import { ShapeError } from '../errors.ts'
import { BLOCK } from '../format/quantized/hostMatrix.ts'
import type { QuantizedMatrix } from '../tensor/quantizedMatrix.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape, replaceAt, rowsOf } from './axis.ts'
import { add, binary, divide, multiply, scale } from './binary.ts'
import { full } from './fill.ts'
import { launch } from './launch.ts'
import { matmulTransposed } from './matmul.ts'
import { max } from './reduce.ts'
import { pad, slice } from './slice.ts'
import { unary } from './unary.ts'

/** Blocks whose greatest number is smaller are as good as zero: no scale is zero or subnormal. */
const SMALLEST = 2 ** -100

/**
 * Rows in the blocks of q8_0, as numbers again: per block of 32, d = max(|x|) / 127, x̃ = d round(x / d). Whole numbers times whole numbers is what
 * a product of x̃ with q8_0 weights is made of.
 */
export const roundToBlocks = <A extends Axes>(x: Tensor<A>): Tensor<A> =>
  scope(() => {
    const { rows, columns } = rowsOf(x)
    const blocks = Math.ceil(columns / BLOCK)
    const whole = pad(x.share([rows, columns]), 1, 0, blocks * BLOCK).share([rows, blocks, BLOCK])
    const largest = binary('maximum', max(unary('abs', whole), 2), full(x.engine, [1, 1, 1], SMALLEST))
    const step = scale(largest, 1 / 127)
    const rounded = multiply(unary('round', divide(whole, step)), step)
    return slice(rounded.share([rows, blocks * BLOCK]), 1, 0, columns).share<A>(x.shape)
  })

/**
 * y = x W + b over the last axis of x, W in fewer bits. q8_0: of x̃, x rounded to blocks (`roundToBlocks`), so that a block's product is a sum of
 * whole numbers; f16: of x itself, the bits of `linear` with the widened weights. Laws K1, K5, L1.
 */
export const quantizedMatmul = <const B extends Axes>(
  x: Tensor,
  weight: QuantizedMatrix,
  bias: Tensor | null,
): Tensor<B> => {
  const { type, inner, columns, cells } = weight
  const { rows, columns: found } = rowsOf(x)
  if (found !== inner)
    throw new ShapeError(`quantizedMatmul: weight [${weight.shape}] takes rows of ${inner}, found shape [${x.shape}]`)
  if (bias !== null) expectShape('quantizedMatmul bias', bias.shape, [columns])
  const shape = replaceAt(x.shape, x.shape.length - 1, columns)
  const override = x.engine.fused.quantizedMatmul
  if (override === undefined)
    return scope(() => {
      const flat = x.share([rows, inner])
      const product = matmulTransposed(type === 'f16' ? flat : roundToBlocks(flat), cells, {
        transposeY: !weight.innerFirst,
      })
      return (bias === null ? product : add(product, bias)).share<B>(shape)
    })
  const y = empty<B>(x.engine, shape)
  launch(x.engine, 2 * rows * inner * columns, x, cells, bias, y)
  override(y.storage, x.storage, cells.storage, bias?.storage ?? null, { type, rows, inner, columns })
  return y
}
