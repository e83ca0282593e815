import { sequence } from '../../src/compose.ts'
import { normalInit, parameter } from '../../src/context.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Times } from '../../src/tensor/times.ts'
import { silu } from '../activation.ts'
import type { Hidden } from '../hidden.ts'
import { GPT2_DEVIATION, linear } from '../linear.ts'
import { timeEmbedding } from './timeEmbedding.ts'

export interface TimeConditionOptions {
  /** Parameters are `<name>.0` and `<name>.2`. */
  readonly name: string
  readonly width: number
  /** Columns of the sinusoidal embedding. */
  readonly frequencies: number
}

/** What a network is told of its noise level, (batch, 1, width): the time embedding through linear, SiLU, linear (arXiv 2006.11239, appendix B). */
export const timeCondition = ({ name, width, frequencies }: TimeConditionOptions): Operator<Times, Hidden> => {
  const layer = (at: number): Operator<Hidden, Hidden> =>
    linear({ name: `${name}.${at}`, from: 'width', to: 'width', width, bias: true, layout: 'torch' })
  const mlp = sequence(layer(0), silu<readonly ['batch', 'time', 'width']>, layer(2))
  return (c, times) => {
    // Host numbers have no engine: the weights say which.
    const { engine } = parameter(c, `${name}.0.weight`, [width, frequencies], normalInit(GPT2_DEVIATION))
    const embedded = scope(() =>
      timeEmbedding(engine, times, { width: frequencies }).share<readonly ['batch', 'time', 'width']>([
        times.times.length,
        1,
        frequencies,
      ]),
    )
    const { value, state, saved, pullback } = mlp(c, embedded)
    return { value, state, saved, pullback: d => [pullback(d)[0], null] }
  }
}
