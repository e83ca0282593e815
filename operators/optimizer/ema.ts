/**
 * The exponential moving average of parameters, a machine beside the optimizer:
 *
 *   a_0 = p_0        a_t = decay · a_{t-1} + (1 - decay) · p_t
 *
 * Always a convex combination of the parameters seen, so it needs no bias correction; decay 0 is the parameters (law O9).
 * Source: Polyak & Juditsky, 1992; as in DDPM (Ho et al., arXiv 2006.11239), whose decay is 0.9999. A schedule such as
 * `step => Math.min(0.9999, (1 + step) / (10 + step))` averages over less in the beginning.
 */
import * as t from 'io-ts'
import { naturalNumber, numberIn } from '../../src/codec/fields.ts'
import type { Named } from '../../src/context.ts'
import { scale } from '../../src/kernel/binary.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import type { Machine } from '../../src/machine.ts'
import { namedCodec } from '../../src/state.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { mapNamed } from './optimizer.ts'
import { type Rate, scheduleOf } from './schedule/schedule.ts'

export interface EmaState {
  readonly step: number
  readonly average: Named
}

export interface Ema extends Machine<EmaState, Named, Named> {
  readonly codec: t.Type<EmaState, unknown, unknown>
}

const decayCodec = numberIn('a number in [0, 1]', n => n >= 0 && n <= 1)
const codec: t.Type<EmaState, EmaState, unknown> = t.readonly(
  t.type({ step: naturalNumber, average: namedCodec }, 'averaged parameters'),
)

/** From parameters to their average; the parameters are only read. */
export const ema = (decay: Rate): Ema => {
  const decayAt = scheduleOf(decay, decayCodec, 'ema: decay')
  return {
    codec,
    init: () => ({ step: 0, average: {} }),
    step: (state, parameters) =>
      scope(() => {
        const weight = decayAt(state.step)
        const follow = (old: Tensor | undefined, parameter: Tensor): Tensor => {
          // The parameter itself will be updated in place: its storage must not be kept.
          const next = old === undefined ? scale(parameter, 1) : accumulate(scale(old, weight), parameter, 1 - weight)
          old?.release()
          return next
        }
        // Names keep their order, so that a state that was stored and read is written alike again.
        const average = {
          ...state.average,
          ...mapNamed(parameters, (parameter, name) => follow(state.average[name], parameter)),
        }
        return [mapNamed(average, x => x.share()), { step: state.step + 1, average }]
      }),
  }
}
