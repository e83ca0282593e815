import type { Axes, Tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { duplicate } from './fill.ts'
import { launch } from './launch.ts'

/** Takes over a consumed tensor: itself under a new handle for a sole owner, else a copy. The argument is dead afterwards. */
export const take = <A extends Axes>(x: Tensor<A>): Tensor<A> => {
  const sole = x.storage.owners === 1
  const mine = sole ? x.share<A>() : duplicate(x)
  if (!sole) x.engine.counter.copiedBytes += x.size * x.engine.bytesPerElement
  x.release()
  return mine
}

/** x + factor y, consuming x: in place for a sole owner. */
export const accumulate = <A extends Axes>(x: Tensor<A>, y: Tensor, factor = 1): Tensor<A> => {
  expectShape('accumulate', y.shape, x.shape)
  const z = take(x)
  launch(z.engine, 2 * z.size, z, y, z)
  z.engine.primitives.accumulate(z.storage, y.storage, factor, z.size)
  return z
}
