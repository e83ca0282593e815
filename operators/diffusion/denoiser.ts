import { type Context, context, type Named } from '../../src/context.ts'
import { binary, scalar } from '../../src/kernel/binary.ts'
import { split } from '../../src/kernel/slice.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'
import { type Times, times } from '../../src/tensor/times.ts'
import { combine } from './combine.ts'
import type { Level } from './level.ts'
import { type Parametrization, separate } from './parametrization.ts'

/** A network over (samples, the time of each): the prediction, of the samples' shape; twice as many of axis 1 where it learns a variance too. */
export type DiffusionModel<A extends Axes = Axes, B extends Axes = A> = Operator<readonly [Tensor<A>, Times], Tensor<B>>

/** The same with something to go by: class ids, a text's hidden states. */
export type ConditionalModel<A extends Axes, C, B extends Axes = A> = Operator<
  readonly [Tensor<A>, Times, C],
  Tensor<B>
>

/** What a model says about samples of one level, raw: guidance mixes these. */
export type Predict = (x: Tensor, at: Level) => Tensor

export interface Estimate {
  readonly x0: Tensor
  readonly noise: Tensor
  /** Where in [0, 1] the log-variance of a step lies between the posterior's and the transition's; null where the model does not learn it. */
  readonly fraction: Tensor | null
}

/** What samplers ask: x0 and noise of samples of one level. */
export type Denoiser = (x: Tensor, at: Level) => Estimate

/** A model with its parameters. More of the context (`tap`) if given. */
export const predictor =
  <A extends Axes>(model: DiffusionModel<A>, parameters: Named, more: Partial<Context> = {}): Predict =>
  (x, { time }) =>
    scope(
      () =>
        model(context(parameters, { differentiable: false, ...more }), [x.share<A>(), times(time, x.shape[0])]).value,
    )

/** A conditional model that is told the same thing every time. */
export const conditioned =
  <A extends Axes, C, B extends Axes>(model: ConditionalModel<A, C, B>, condition: C): DiffusionModel<A, B> =>
  (c, [x, t]) => {
    const { value, state, saved, pullback } = model(c, [x, t, condition])
    return {
      value,
      state,
      saved,
      pullback: d => {
        const [gradients, [dx]] = pullback(d)
        return [gradients, [dx, null]]
      },
    }
  }

export interface DenoiserOptions {
  readonly prediction: Parametrization
  /** Keeps predicted x0 within [-clip, clip]. Data should be scaled to that range. */
  readonly clip?: number
  /**
   * With `clip`: what becomes of the noise. `kept` stays the model's, as Diffusers has it unless told `use_clipped_model_output`; `rederived` is what explains the
   * sample by the clipped x0 (Dhariwal & Nichol's code). Guidance needs the latter: it drives x0 out of range, and noise kept would carry it back the other way.
   * `kept` unless given.
   */
  readonly clippedNoise?: 'kept' | 'rederived'
  /** The model's axis 1 holds the prediction, then v in [-1, 1] for the variance (Nichol & Dhariwal, arXiv 2102.09672, eq. 15). */
  readonly learnedVariance?: boolean
}

/** Reads predictions as x0 and noise. */
export const denoiser =
  (predict: Predict, { prediction, clip, clippedNoise = 'kept', learnedVariance = false }: DenoiserOptions): Denoiser =>
  (x, at) =>
    scope(() => {
      const output = predict(x, at)
      const channels = x.shape[1]
      const [mean, variance = null] = learnedVariance ? split(output, 1, [channels, channels]) : [output]
      const estimate = separate(prediction, x, mean, at)
      const x0 = clip === undefined ? estimate.x0 : clamp(estimate.x0, clip)
      return {
        x0,
        noise:
          clip === undefined || clippedNoise === 'kept'
            ? estimate.noise
            : combine([1 / at.sigma, x], [-at.alpha / at.sigma, x0]),
        fraction: variance === null ? null : binary('multiply', binary('add', variance, scalar(x, 1)), scalar(x, 0.5)),
      }
    })

const clamp = (x: Tensor, bound: number): Tensor =>
  binary('maximum', binary('minimum', x, scalar(x, bound)), scalar(x, -bound))
