import { gradientsOf, normalInit, parameter } from '../../src/context.ts'
import { InputError } from '../../src/errors.ts'
import { add } from '../../src/kernel/binary.ts'
import { reduceTo } from '../../src/kernel/reduce.ts'
import { pad, slice } from '../../src/kernel/slice.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Hidden } from '../hidden.ts'
import { GPT2_DEVIATION } from '../linear.ts'

export interface LearnedPositionsOptions {
  readonly name: string
  readonly positions: number
  readonly width: number
}

/** x + P[offset … offset + time): a learned row a position, `<name>.weight` (positions, width), as in GPT. Law N7. */
export const learnedPositions = ({ name, positions, width }: LearnedPositionsOptions): Operator<Hidden, Hidden> => {
  const weightName = `${name}.weight`
  return (c, x) => {
    const table = parameter(c, weightName, [positions, width], normalInit(GPT2_DEVIATION))
    const [, time] = x.shape
    const { offset } = c
    if (offset + time > positions)
      throw new InputError(`position ${offset + time} is past the model's context of ${positions}`)
    return {
      value: scope(() => add(x, slice(table, 0, offset, time))),
      state: {},
      saved: [],
      pullback: dy => [
        gradientsOf(c, [weightName, scope(() => pad(reduceTo(dy, [time, width]), 0, offset, positions))]),
        dy,
      ],
    }
  }
}
