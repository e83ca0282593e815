/**
 * rate · min(s / w, √(w / s)), s = step + 1, w = warmup (at least 1): rises to `rate` at s = w, then falls as 1 / √s.
 *
 * Source: Vaswani et al., arXiv 1706.03762, section 5.3, where rate = (d_model · warmup)^-½. Law O6.
 */
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { Warmup, type WarmupOptions } from './options.ts'
import type { Schedule } from './schedule.ts'

export const inverseSquareRoot = (options: WarmupOptions): Schedule => {
  const { rate, warmup } = decodeOrThrow(Warmup, options, 'inverseSquareRoot')
  const peak = Math.max(1, warmup)
  return step => rate * Math.min((step + 1) / peak, Math.sqrt(peak / (step + 1)))
}
