import type { Context } from '../src/context.ts'
import { multiply as product } from '../src/kernel/binary.ts'
import type { Pulled } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/** (x, y) -> x ⊙ y of equal shapes: a gate. */
export const multiply = <A extends Axes>(
  _: Context,
  [x, y]: readonly [Tensor<A>, Tensor<A>],
): Pulled<readonly [Tensor<A>, Tensor<A>], Tensor<A>> => ({
  value: product(x, y),
  state: {},
  saved: [x, y],
  pullback: d => [{}, [product(d, y), product(d, x)]],
})
