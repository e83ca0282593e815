/** Options that schedules share; lengths are in steps. */
import * as t from 'io-ts'
import {
  naturalNumber,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  withDefault,
  withRules,
} from '../../../src/codec/fields.ts'

export interface WarmupOptions {
  /** The highest value, reached after the warm-up. */
  readonly rate: number
  /** Steps before the full rate; 0 unless said. */
  readonly warmup?: number
}

export interface DecayOptions extends WarmupOptions {
  /** The step from which the value is `minimum`. */
  readonly total: number
  /** 0 unless said. */
  readonly minimum?: number
}

const warmup = { rate: positiveNumber, warmup: withDefault(naturalNumber, 0) }

export const Warmup = t.type(warmup)

export const Decay = withRules(
  t.type({ ...warmup, total: positiveInteger, minimum: withDefault(nonNegativeNumber, 0) }),
  [
    {
      field: 'minimum',
      holds: ({ minimum, rate }) => minimum <= rate,
      expected: ({ rate }) => `at most the rate ${rate}`,
      found: ({ minimum }) => minimum,
    },
    {
      field: 'warmup',
      holds: ({ warmup, total }) => warmup <= total,
      expected: ({ total }) => `at most the total of ${total} steps`,
      found: ({ warmup }) => warmup,
    },
  ],
)
