/**
 * L_simple + λ L_vlb for a model that learns its variance too: (batch, 2 C, …), the first C of axis 1 its prediction p, the others v, and the reverse step's
 * log-variance f log β + (1 - f) log β̃ with f = (v + 1) / 2. With r = log(β / β̃) and d = c₀ (x0 - x̂0) the distance of the means, in nats a number,
 *
 *   KL(q(x_{t-1} | x_t, x0) ‖ p(x_{t-1} | x_t)) = ½ (f r + (1 + d² / β̃) e^{-f r} - 1),   dKL/df = ½ r (1 - (1 + d² / β̃) e^{-f r})
 *
 * and d² = g (p - target)², g of the level alone. L_vlb counts in bits, nats over log 2, as in the published code. It teaches the variance only: the mean's gradient
 * is L_simple's. A step to clean data draws no noise, so a row of such a level counts in L_simple alone; the published code has the decoder's term there.
 *
 * Source: Nichol & Dhariwal, arXiv 2102.09672, eq. 15 and 16, and its code, github.com/openai/improved-diffusion. The sampler is `ddpm({ variance: 'learned' })`.
 * Law D4 of each half.
 */
import { add, multiply, scalar, scale, subtract } from '../../../src/kernel/binary.ts'
import { dot } from '../../../src/kernel/dot.ts'
import { total } from '../../../src/kernel/reduce.ts'
import { concat, split } from '../../../src/kernel/slice.ts'
import { exp, square } from '../../../src/kernel/unary.ts'
import type { Operator } from '../../../src/operator.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { type Axes, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import type { Level } from '../level.ts'
import { type Parametrization, weightsOf } from '../parametrization.ts'
import { posterior } from '../posterior.ts'
import { transition } from '../qSample.ts'

/** A row's reverse step. */
export interface Step {
  readonly from: Level
  readonly to: Level
}

export interface HybridLossOptions {
  readonly prediction: Parametrization
  /** One a row. */
  readonly steps: readonly Step[]
  /** λ times the number of steps of the whole chain; the paper's λ is 1e-3, of bits. */
  readonly weight: number
}

/** What a level says: r, and g / β̃; both 0 on the step to clean data. */
const coefficients = (kind: Parametrization, { from, to }: Step): readonly [ratio: number, gain: number] => {
  if (to.sigma === 0) return [0, 0]
  const { x0, variance } = posterior(from, to)
  const error = from.sigma / weightsOf(kind, from).determinant
  return [Math.log(transition(to, from).variance / variance), (x0 * error) ** 2 / variance]
}

export const hybridLoss =
  <A extends Axes>(
    target: Tensor<A>,
    { prediction, steps, weight }: HybridLossOptions,
  ): Operator<Tensor<A>, Tensor<readonly []>> =>
  (_, output) => {
    const { value, dError, dVariance } = scope(() => {
      const channels = target.shape[1]
      const [predicted, v] = split(output, 1, [channels, channels])
      const rows = steps.map(step => coefficients(prediction, step))
      const column = (values: readonly number[]) =>
        tensor(output.engine, [values.length, ...target.shape.slice(1).map(() => 1)], values)
      const ratio = column(rows.map(([r]) => r))
      const error = subtract(predicted, target)
      const squared = square(error)
      // f r
      const exponent = multiply(scale(add(v, scalar(v, 1)), 0.5), ratio)
      // 1 + d² / β̃, and 1 where the step counts nothing: there the divergence is 0.
      const spread = add(multiply(squared, column(rows.map(([, gain]) => gain))), scalar(v, 1))
      const shrunk = multiply(spread, exp(scale(exponent, -1)))
      const divergence = subtract(add(exponent, shrunk), scalar(v, 1))
      const share = 1 / target.size
      return {
        value: add(scale(dot(error, error), share), scale(total(divergence), (weight * share) / (2 * Math.LN2))),
        dError: scale(error, 2 * share),
        dVariance: multiply(
          subtract(scalar(v, 1), shrunk).share(v.shape),
          scale(ratio, (weight * share) / (4 * Math.LN2)),
        ),
      }
    })
    return {
      value,
      state: {},
      saved: [dError, dVariance],
      pullback: d => [{}, scope(() => multiply(concat<A>([dError, dVariance], 1), d))],
    }
  }
