/**
 * Schedules are functions of the step, counted from 0: a learning rate, a decay. Laws: O6 (declared end values, continuity at joints,
 * a warm-up that rises and is not zero at step 0).
 */
import type * as t from 'io-ts'
import { decodeOrThrow } from '../../../src/codec/decode.ts'
import { nonNegativeNumber } from '../../../src/codec/fields.ts'
import { constant } from './constant.ts'

export type Schedule = (step: number) => number
/** A number, or one for each step. */
export type Rate = number | Schedule

/** Every value is checked, a constant at once; a wrong one is an InputError that says where. */
export const scheduleOf = (rate: Rate, codec: t.Decoder<unknown, number>, where: string): Schedule =>
  typeof rate === 'function'
    ? step => decodeOrThrow(codec, rate(step), `${where} at step ${step}`)
    : constant(decodeOrThrow(codec, rate, where))

/** A schedule of learning rates: finite and not negative. */
export const rateOf = (rate: Rate, where: string): Schedule => scheduleOf(rate, nonNegativeNumber, where)

/** The fraction of the full rate at a step of a warm-up of `warmup` steps: (step + 1) / (warmup + 1), then 1 (nanoGPT). */
export const warm = (step: number, warmup: number): number => (step < warmup ? (step + 1) / (warmup + 1) : 1)
