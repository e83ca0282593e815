import { add, multiply, scale } from '../../src/kernel/binary.ts'
import { zeros } from '../../src/kernel/fill.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Level } from './level.ts'

/** One factor for the whole of x, or one for each row of its first axis. */
export type Term = readonly [factor: number | readonly number[], x: Tensor]

/** One level for all rows, or a level for each. */
export type Levels = Level | readonly Level[]

/** A number of a level, or of each row's level. */
export const ofEach = (at: Levels, f: (level: Level) => number): number | readonly number[] =>
  'alpha' in at ? f(at) : at.map(f)

/** Σ c_i x_i over tensors of one shape, in order; a term of factor 0 is skipped. What every sampler's step is made of. */
export const combine = (first: Term, ...rest: readonly Term[]): Tensor =>
  scope(() => {
    const [head, ...others] = [first, ...rest].filter(([factor]) => factor !== 0)
    if (head === undefined) return zeros(first[1].engine, first[1].shape)
    return others.reduce(
      (sum, [factor, x]) => (typeof factor === 'number' ? accumulate(sum, x, factor) : add(sum, times(factor, x))),
      times(...head),
    )
  })

const times = (factor: Term[0], x: Tensor): Tensor => {
  if (typeof factor === 'number') return scale(x, factor)
  return multiply(x, tensor(x.engine, [factor.length, ...x.shape.slice(1).map(() => 1)], factor))
}
