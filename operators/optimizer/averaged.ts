/**
 * An optimizer that also keeps the exponential moving average of the parameters it makes:
 *
 *   (u_t, s_{t+1}) = optimizer(s_t, g_t)        a_{t+1} = decay · a_t + (1 - decay) · (p_t + u_t)
 *
 * The average is part of its state, so a checkpoint holds it and a resumed run goes on with it; it is what one samples from (Song & Ermon, arXiv
 * 2006.09011, technique 5). Law O9. An empty update leaves it as it is (law O11).
 */
import * as t from 'io-ts'
import { add } from '../../src/kernel/binary.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type EmaState, ema } from './ema.ts'
import { isEmpty, mapNamed, type Optimizer } from './optimizer.ts'
import type { Rate } from './schedule/schedule.ts'

export interface AveragedState<S> {
  readonly optimizer: S
  readonly average: EmaState
}

export const averaged = <S>(optimizer: Optimizer<S>, decay: Rate): Optimizer<AveragedState<S>> => {
  const averager = ema(decay)
  return {
    codec: t.type({ optimizer: optimizer.codec, average: averager.codec }, 'an optimizer with averaged parameters'),
    init: () => ({ optimizer: optimizer.init(), average: averager.init() }),
    step: (state, { gradient, parameters }) =>
      scope(() => {
        const [update, next] = optimizer.step(state.optimizer, { gradient, parameters })
        if (isEmpty(update)) return [update, { optimizer: next, average: state.average }]
        const moved = mapNamed(parameters, (parameter, name) => {
          const change = update[name]
          return change === undefined ? parameter : add(parameter, change)
        })
        const [, average] = averager.step(state.average, moved)
        return [update, { optimizer: next, average }]
      }),
  }
}
