/**
 * A linear warm-up, then half a cosine from `rate` to `minimum` at step `total`, then `minimum`:
 *
 *   rate (step + 1) / (warmup + 1)                      step < warmup
 *   minimum + ½ (1 + cos π r) (rate - minimum)          r = (step - warmup) / (total - warmup)
 *
 * Source: Loshchilov & Hutter, arXiv 1608.03983, equation 5; nanoGPT, train.py, `get_lr`. Law O6.
 */
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { Decay, type DecayOptions } from './options.ts'
import { type Schedule, warm } from './schedule.ts'

export const cosineDecay = (options: DecayOptions): Schedule => {
  const { rate, warmup, total, minimum } = decodeOrThrow(Decay, options, 'cosineDecay')
  return step => {
    if (step < warmup) return rate * warm(step, warmup)
    if (step >= total) return minimum
    const ratio = (step - warmup) / (total - warmup)
    return minimum + 0.5 * (1 + Math.cos(Math.PI * ratio)) * (rate - minimum)
  }
}
