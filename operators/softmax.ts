import type { Context } from '../src/context.ts'
import { softmaxPullback, softmax as value } from '../src/kernel/softmax.ts'
import type { Pulled } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/** exp(x_i) / Σ exp(x_j) along the last axis; a row of -infinity gives zeros. Laws A1, A2, A4. */
export const softmax = <A extends Axes>(_: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
  const y = value(x)
  return { value: y, state: {}, saved: [y], pullback: dy => [{}, softmaxPullback(dy, y)] }
}
