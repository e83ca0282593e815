import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { Decay, type DecayOptions } from './options.ts'
import { type Schedule, warm } from './schedule.ts'

/** A linear warm-up, then a straight line from `rate` to `minimum` at step `total`, then `minimum` (BERT's). Law O6. */
export const linearDecay = (options: DecayOptions): Schedule => {
  const { rate, warmup, total, minimum } = decodeOrThrow(Decay, options, 'linearDecay')
  return step => {
    if (step < warmup) return rate * warm(step, warmup)
    if (step >= total) return minimum
    return rate + (minimum - rate) * ((step - warmup) / (total - warmup))
  }
}
