import { ShapeError } from '../errors.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { axisOf, sameBut, viewOf } from './axis.ts'
import { launch } from './launch.ts'

/**
 * Writes `rows` (batch, count, width) at positions `offset` … of a cache (batch, capacity, width) and returns the cache; the argument is consumed.
 * In place when nobody else owns the storage, or nobody wrote past `offset`; otherwise into a copy, so forks never see each other (law L5).
 */
export const append = <A extends Axes>(cache: Tensor, rows: Tensor<A>, offset: number): Tensor<A> => {
  const view = viewOf(rows, 1)
  const capacity = cache.shape[axisOf(cache, 1)]
  if (!sameBut(rows.shape, cache.shape, 1))
    throw new ShapeError(`append: rows [${rows.shape}] and cache [${cache.shape}] differ beside axis 1`)
  if (!Number.isInteger(offset) || offset < 0 || offset + view.length > capacity)
    throw new ShapeError(`positions ${offset} to ${offset + view.length} are not in a cache of ${capacity}`)
  const { engine, storage } = cache
  const next = storage.owners === 1 || storage.written <= offset ? cache.share<A>() : copyOf<A>(cache)
  cache.release()
  launch(engine, 0, rows, rows)
  engine.primitives.assign(next.storage, rows.storage, view, offset, capacity)
  next.storage.written = offset + view.length
  return next
}

const copyOf = <A extends Axes>(cache: Tensor): Tensor<A> => {
  const copy = empty<A>(cache.engine, cache.shape)
  cache.engine.primitives.copy(copy.storage, cache.storage, cache.size)
  cache.engine.counter.copiedBytes += cache.size * cache.engine.bytesPerElement
  return copy
}
