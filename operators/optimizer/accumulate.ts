/**
 * The mean of every n gradients; in between the empty update, on which the optimizers after it do not step (law O11):
 *
 *   chain(accumulate(4), clipByGlobalNorm(1), adamW(…))        one update every four batches
 *
 * Equal to one gradient of a batch n times as large, for losses that are means (law D9). A parameter without a gradient counts as 0.
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { naturalNumber, positiveInteger } from '../../src/codec/fields.ts'
import type { Named } from '../../src/context.ts'
import { scale } from '../../src/kernel/binary.ts'
import { accumulate as addTo } from '../../src/kernel/inPlace.ts'
import { namedCodec } from '../../src/state.ts'
import { scope } from '../../src/tensor/scope.ts'
import { isEmpty, mapNamed, type Optimizer } from './optimizer.ts'

export interface AccumulateState {
  /** Gradients since the last update. */
  readonly count: number
  /** Their sum over n. */
  readonly mean: Named
}

const codec: t.Type<AccumulateState, AccumulateState, unknown> = t.readonly(
  t.type({ count: naturalNumber, mean: namedCodec }, 'accumulated gradients'),
)

export const accumulate = (n: number): Optimizer<AccumulateState> => {
  decodeOrThrow(positiveInteger, n, 'accumulate: n')
  const init = (): AccumulateState => ({ count: 0, mean: {} })
  return {
    codec,
    init,
    step: (state, { gradient }) => {
      if (isEmpty(gradient)) return [gradient, state]
      const mean = scope(() => ({
        ...state.mean,
        ...mapNamed(gradient, (g, name) => {
          const sum = state.mean[name]
          return sum === undefined ? scale(g, 1 / n) : addTo(sum, g, 1 / n)
        }),
      }))
      return state.count + 1 < n ? [{}, { count: state.count + 1, mean }] : [mean, init()]
    },
  }
}
