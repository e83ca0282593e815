import { scale } from '../../src/kernel/binary.ts'
import { counted, type StepCount } from './counted.ts'
import { mapNamed, type Optimizer } from './optimizer.ts'
import { type Rate, rateOf } from './schedule/schedule.ts'

/** Gradient descent, u = -rate · g (Robbins & Monro, 1951). Linear in g (law O2); contracts ½λx² by |1 - rate λ| (law O7). */
export const sgd = (rate: Rate): Optimizer<StepCount> => {
  const at = rateOf(rate, 'sgd: rate')
  return counted((gradient, step) => mapNamed(gradient, g => scale(g, -at(step))))
}
