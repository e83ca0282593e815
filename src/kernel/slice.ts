import { ShapeError } from '../errors.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { axisOf, replaceAt, sameBut, viewOf } from './axis.ts'
import { launch } from './launch.ts'

/** Positions start … start + count - 1 of one axis, which may take another name. Adjoint: `pad`. */
export const slice = <A extends Axes, const B extends Axes = A>(
  x: Tensor<A>,
  axis: number,
  start: number,
  count: number,
): Tensor<B> => {
  const index = axisOf(x, axis)
  const view = viewOf(x, index)
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 0 || start + count > view.length)
    throw new ShapeError(`slice ${start}…${start + count} of an axis of length ${view.length}`)
  const y = empty<B>(x.engine, replaceAt(x.shape, index, count))
  launch(x.engine, 0, y, y)
  x.engine.primitives.slice(y.storage, x.storage, view, start, count)
  return y
}

/** x at positions start … of an axis of length `length`, zero elsewhere. Adjoint: `slice`. */
export const pad = <A extends Axes>(x: Tensor<A>, axis: number, start: number, length: number): Tensor<A> => {
  const index = axisOf(x, axis)
  const view = viewOf(x, index)
  if (!Number.isInteger(start) || !Number.isInteger(length) || start < 0 || start + view.length > length)
    throw new ShapeError(`pad of length ${view.length} at ${start} does not fit ${length}`)
  const y = empty<A>(x.engine, replaceAt(x.shape, index, length))
  launch(x.engine, 0, x, y)
  x.engine.primitives.pad(y.storage, x.storage, view, start, length)
  return y
}

/** Joins tensors along one axis. Adjoint: `split`. */
export const concat = <const A extends Axes>(xs: readonly [Tensor, ...Tensor[]], axis: number): Tensor<A> => {
  const [first] = xs
  const index = axisOf(first, axis)
  for (const x of xs)
    if (!sameBut(x.shape, first.shape, index))
      throw new ShapeError(`concat along axis ${axis}: shapes [${first.shape}] and [${x.shape}] differ elsewhere`)
  const length = xs.reduce((n, x) => n + x.shape[index], 0)
  const y = empty<A>(first.engine, replaceAt(first.shape, index, length))
  let start = 0
  for (const x of xs) {
    const view = viewOf(x, index)
    launch(first.engine, 0, x, x)
    first.engine.primitives.assign(y.storage, x.storage, view, start, length)
    start += view.length
  }
  return y
}

/** Cuts one axis into these lengths. Adjoint: `concat`. */
export const split = <A extends Axes>(x: Tensor<A>, axis: number, lengths: readonly number[]): Tensor<A>[] => {
  const index = axisOf(x, axis)
  const whole = lengths.reduce((a, b) => a + b, 0)
  if (whole !== x.shape[index]) throw new ShapeError(`split of length ${x.shape[index]} into [${lengths}]`)
  let start = 0
  return lengths.map(length => {
    const part = slice(x, index, start, length)
    start += length
    return part
  })
}
