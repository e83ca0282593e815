import { type Context, pathOf } from '../src/context.ts'
import type { Pulled } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/** The identity, showing the value as `<path><name>` and its cotangent as `<path><name>.gradient` to whoever taps. */
export const tap =
  (name: string) =>
  <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    c.tap?.(pathOf(c, name), x)
    return {
      value: x,
      state: {},
      saved: [],
      pullback: dy => {
        c.tap?.(`${pathOf(c, name)}.gradient`, dy)
        return [{}, dy]
      },
    }
  }
