import type { Context } from '../src/context.ts'
import { zeros } from '../src/kernel/fill.ts'
import type { Pulled } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/** The identity whose pullback is zero. Law D11. */
export const stopGradient = <A extends Axes>(_: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => ({
  value: x,
  state: {},
  saved: [],
  pullback: dy => [{}, zeros<A>(dy.engine, dy.shape)],
})
