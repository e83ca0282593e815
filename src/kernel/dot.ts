import { scope } from '../tensor/scope.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { multiply } from './binary.ts'
import { launch } from './launch.ts'
import { total } from './reduce.ts'

/** ⟨x, y⟩ = Σ x y over all elements, rank 0. */
export const dot = (x: Tensor, y: Tensor): Tensor<readonly []> => {
  expectShape('dot', y.shape, x.shape)
  const override = x.engine.fused.dot
  if (override === undefined) return scope(() => total(multiply(x, y)))
  const z = empty<readonly []>(x.engine, [])
  launch(x.engine, 2 * x.size, x, y, z)
  override(z.storage, x.storage, y.storage, x.size)
  return z
}
