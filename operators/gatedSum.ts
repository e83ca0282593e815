import { add, multiply } from '../src/kernel/binary.ts'
import { reduceTo } from '../src/kernel/reduce.ts'
import type { Operator } from '../src/operator.ts'
import { scope } from '../src/tensor/scope.ts'
import type { Hidden } from './hidden.ts'

/** (x, y, gate) -> x + gate ⊙ y: a residual branch that its condition opens. x and y (batch, time, width), gate (batch, 1, width). Laws D4, D5. */
export const gatedSum: Operator<readonly [Hidden, Hidden, Hidden], Hidden> = (_, [x, y, gate]) => ({
  value: scope(() => add(x, multiply(y, gate))),
  state: {},
  saved: [y, gate],
  pullback: d => [{}, [d, multiply(d, gate), scope(() => reduceTo(multiply(d, y), gate.shape))]],
})
