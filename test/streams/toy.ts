/** A small "model" on the reference engine: real tensors, counted launches, one state written in place. */
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { add, scale } from '../../src/kernel/binary.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import type { Machine } from '../../src/machine.ts'
import { readNow, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Feedback } from '../../streams/feedback.ts'

export type Vector = Tensor<readonly ['width']>

export const vector = (engine: Engine, value: number): Vector => tensor(engine, [2], [value, value / 2])

export interface Memory {
  readonly h: Vector
  readonly sum: Vector
  readonly t: number
}

/** h ← 0.5 h + x, in two tensors, one rewritten in place; the output is 2 h, with garbage made on the way. */
export const cell = (engine: Engine, failAt = -1): Machine<Memory, number, Vector> => ({
  init: () => ({ h: vector(engine, 0), sum: vector(engine, 0), t: 0 }),
  step: ({ h, sum, t }, input) => {
    const next = add(scale(h, 0.5), vector(engine, input))
    if (t === failAt) throw new Error(`step ${t}`)
    return [scale(next, 2), { h: next, sum: accumulate(sum, next), t: t + 1 }]
  },
})

export interface Toy {
  readonly engine: Engine
  readonly options: Feedback<Memory, number, number, Vector, number, number>
}

type Read = (result: Vector) => number | Promise<number>

/** A decode: the next input is the value read, modulo 11. */
export const toy = (
  length = Number.POSITIVE_INFINITY,
  { failAt = -1, read = r => readNow(r)[0] ?? 0 }: { readonly failAt?: number; readonly read?: Read } = {},
): Toy => {
  const engine = referenceEngine()
  return {
    engine,
    options: {
      first: 3,
      device: cell(engine, failAt),
      read,
      host: {
        init: () => 0,
        step: (t, value) => [{ emit: [value], next: t + 1 < length ? Math.round(Math.abs(value)) % 11 : null }, t + 1],
      },
    },
  }
}
