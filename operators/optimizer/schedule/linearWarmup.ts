import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { Warmup, type WarmupOptions } from './options.ts'
import { type Schedule, warm } from './schedule.ts'

/** rate · (step + 1) / (warmup + 1) for step < warmup, then rate. Never zero (nanoGPT, pull request 578). Law O6. */
export const linearWarmup = (options: WarmupOptions): Schedule => {
  const { rate, warmup } = decodeOrThrow(Warmup, options, 'linearWarmup')
  return step => rate * warm(step, warmup)
}
