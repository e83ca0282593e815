/**
 * Steers a model with a classifier of noisy samples: ε̂ ← ε̂ - s sigma ∇ log p(y | x). The gradient is the pullback of the log-probability, nothing else. For a
 * prediction p = c₀ x0 + c₁ ε of any kind, at fixed x, that is p ← p - s (sigma D / alpha) ∇ log p(y | x) with D of `weightsOf`.
 *
 * Source: Dhariwal & Nichol, arXiv 2105.05233, algorithm 2.
 */
import { context, type Named } from '../../../src/context.ts'
import { full } from '../../../src/kernel/fill.ts'
import { scope } from '../../../src/tensor/scope.ts'
import type { Axes, Tensor } from '../../../src/tensor/tensor.ts'
import { times } from '../../../src/tensor/times.ts'
import { tokens } from '../../../src/tensor/tokens.ts'
import { crossEntropy } from '../../loss/crossEntropy.ts'
import { combine } from '../combine.ts'
import type { DiffusionModel, Predict } from '../denoiser.ts'
import type { Level } from '../level.ts'
import { type Parametrization, weightsOf } from '../parametrization.ts'

/** Logits over classes of samples at the times of their levels. */
export type NoisyClassifier<A extends Axes> = DiffusionModel<A, readonly ['batch', 'class']>

/** ∇ₓ log p(y | x, t), of x's shape. */
export const classGradient = <A extends Axes>(
  classifier: NoisyClassifier<A>,
  parameters: Named,
  labels: ArrayLike<number>,
  x: Tensor<A>,
  { time }: Level,
): Tensor<A> =>
  scope(() => {
    const c = context(parameters)
    const batch = labels.length
    const logits = classifier(c, [x, times(time, batch)])
    const [, classes] = logits.value.shape
    const rows = logits.value.share<readonly ['batch', 'time', 'vocabulary']>([batch, 1, classes])
    // The loss is the mean of -log p over rows.
    const loss = crossEntropy(tokens(labels, [batch, 1]))(c, rows)
    const [, dLogits] = loss.pullback(full(x.engine, [], -batch))
    const [, [dx]] = logits.pullback(dLogits.share([batch, classes]))
    return dx
  })

export interface ClassifierGuidance<A extends Axes> {
  /** What `predict` predicts. */
  readonly prediction: Parametrization
  readonly classifier: NoisyClassifier<A>
  readonly parameters: Named
  /** The class wanted of each row. */
  readonly labels: ArrayLike<number>
  /** s: 1 is Bayes' rule, more sharpens. */
  readonly scale: number
}

export const classifierGuidance =
  <A extends Axes>(
    predict: Predict,
    { prediction, classifier, parameters, labels, scale }: ClassifierGuidance<A>,
  ): Predict =>
  (x, at) =>
    scope(() => {
      const gradient = classGradient(classifier, parameters, labels, x.share<A>(), at)
      const factor = (-scale * at.sigma * weightsOf(prediction, at).determinant) / at.alpha
      return combine([1, predict(x, at)], [factor, gradient])
    })
