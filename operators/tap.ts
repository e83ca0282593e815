import type { Context } from '../src/context.ts'
import type { Pulled } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/** The identity, showing the value as `<path><name>` and its cotangent as `<path><name>.gradient` to whoever taps. */
export const tap =
  (name: string) =>
  <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    c.tap?.(c.path + name, x)
    return {
      value: x,
      state: {},
      saved: [],
      pullback: dy => {
        c.tap?.(`${c.path}${name}.gradient`, dy)
        return [{}, dy]
      },
    }
  }
