import { chain } from './chain.ts'
import type { StepCount } from './counted.ts'
import type { Optimizer } from './optimizer.ts'
import type { Rate } from './schedule/schedule.ts'
import { sgd } from './sgd.ts'
import { type TraceOptions, type TraceState, trace } from './trace.ts'

export interface MomentumOptions extends TraceOptions {
  readonly rate: Rate
}

/** Gradient descent along the running sum of gradients (Polyak, 1964), PyTorch's SGD with momentum. Law O2. */
export const momentum = ({ rate, ...options }: MomentumOptions): Optimizer<readonly [TraceState, StepCount]> =>
  chain(trace(options), sgd(rate))
