import { type Context, keyAt } from '../src/context.ts'
import { dropout as drop } from '../src/kernel/dropout.ts'
import type { Pulled } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/**
 * Zeroes elements with probability `rate` while training; the identity otherwise. The key is the run's folded with the path, so the order of
 * operators does not matter (law D1) and the pullback meets the same mask. Law N9.
 */
export const dropout =
  (name: string, rate: number) =>
  <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    if (!c.train || rate === 0) return { value: x, state: {}, saved: [], pullback: dy => [{}, dy] }
    const key = keyAt(c, name)
    return { value: drop(x, key, rate), state: {}, saved: [], pullback: dy => [{}, drop(dy, key, rate)] }
  }
