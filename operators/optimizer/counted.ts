import * as t from 'io-ts'
import { naturalNumber } from '../../src/codec/fields.ts'
import type { Named } from '../../src/context.ts'
import { scope } from '../../src/tensor/scope.ts'
import { isEmpty, type Optimizer } from './optimizer.ts'

/** How many steps were taken. */
export interface StepCount {
  readonly step: number
}

const stepCountCodec: t.Type<StepCount, StepCount, unknown> = t.readonly(
  t.type({ step: naturalNumber }, 'a step count'),
)

/** An optimizer that remembers nothing but the number of its steps, for a rate on a schedule. */
export const counted = (f: (gradient: Named, step: number) => Named): Optimizer<StepCount> => ({
  codec: stepCountCodec,
  init: () => ({ step: 0 }),
  step: (state, { gradient }) =>
    isEmpty(gradient) ? [gradient, state] : [scope(() => f(gradient, state.step)), { step: state.step + 1 }],
})
