/** Kernels over a list of tensors in one launch: a model has hundreds of parameters, most of them small. */
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { add, multiply } from './binary.ts'
import { dot } from './dot.ts'
import { accumulate, take } from './inPlace.ts'
import { launch } from './launch.ts'

const sizesOf = (xs: readonly Tensor[]): number[] => xs.map(x => x.size)
const storagesOf = (xs: readonly Tensor[]) => xs.map(x => x.storage)
const sum = (sizes: readonly number[]): number => sizes.reduce((n, size) => n + size, 0)

/** Σ x² over all elements of all tensors of a list that is not empty, rank 0. */
export const sumOfSquares = (xs: readonly Tensor[]): Tensor<readonly []> => {
  const [first] = xs
  if (first === undefined) throw new ShapeError('sumOfSquares: expected a tensor, found none')
  const override = first.engine.fused.sumOfSquares
  if (override === undefined) return scope(() => xs.map(x => dot(x, x)).reduce((x, y) => add(x, y)))
  const out = empty<readonly []>(first.engine, [])
  const sizes = sizesOf(xs)
  launch(first.engine, 2 * sum(sizes), ...xs, out)
  override(out.storage, storagesOf(xs), sizes)
  return out
}

/** factor · x for each x of a list, the factor a tensor of rank 0. */
export const scaleEach = (xs: readonly Tensor[], factor: Tensor<readonly []>): readonly Tensor[] => {
  expectShape('scaleEach factor', factor.shape, [])
  const override = factor.engine.fused.scaleEach
  if (override === undefined) return xs.map(x => multiply(x, factor))
  const outs = xs.map(x => empty(factor.engine, x.shape))
  const sizes = sizesOf(xs)
  launch(factor.engine, sum(sizes), ...xs, factor, ...outs)
  override(storagesOf(outs), storagesOf(xs), factor.storage, sizes)
  return outs
}

/** x + y for each pair of two lists, consuming the xs: in place for a sole owner. */
export const accumulateEach = (xs: readonly Tensor[], ys: readonly Tensor[]): readonly Tensor[] => {
  if (xs.length !== ys.length) throw new ShapeError(`accumulateEach: ${xs.length} tensors, ${ys.length} to add`)
  xs.forEach((x, i) => {
    expectShape('accumulateEach', ys[i].shape, x.shape)
  })
  const override = xs[0]?.engine.fused.accumulateEach
  if (override === undefined) return xs.map((x, i) => accumulate(x, ys[i]))
  const outs = xs.map(take)
  const sizes = sizesOf(outs)
  launch(outs[0].engine, 2 * sum(sizes), ...outs, ...ys, ...outs)
  override(storagesOf(outs), storagesOf(ys), sizes)
  return outs
}
