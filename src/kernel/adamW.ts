import type { AdamWNumbers } from '../engine/engine.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { add, divide, multiply, scalar, scale } from './binary.ts'
import { accumulate, take } from './inPlace.ts'
import { launch } from './launch.ts'
import { square, unary } from './unary.ts'

export interface AdamWStep<A extends Axes> {
  readonly update: Tensor<A>
  readonly firstMoment: Tensor<A>
  readonly secondMoment: Tensor<A>
}

/**
 * m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²; update = -rate (m̂ / (√v̂ + ε) + decay · parameter). Consumes both moments.
 * Source: Kingma & Ba, arXiv 1412.6980, algorithm 1; decoupled decay by Loshchilov & Hutter, arXiv 1711.05101. Laws O3, O4.
 */
export const adamW = <A extends Axes>(
  first: Tensor<A>,
  second: Tensor<A>,
  gradient: Tensor,
  parameter: Tensor,
  numbers: AdamWNumbers,
): AdamWStep<A> => {
  for (const x of [first, second, parameter]) expectShape('adamW', x.shape, gradient.shape)
  const { engine } = gradient
  const override = engine.fused.adamW
  if (override === undefined) return derivedAdamW(first, second, gradient, parameter, numbers)
  const firstMoment = take(first)
  const secondMoment = take(second)
  const update = empty<A>(engine, gradient.shape)
  launch(engine, 14 * gradient.size, firstMoment, secondMoment, gradient, parameter, update, firstMoment, secondMoment)
  override(
    update.storage,
    firstMoment.storage,
    secondMoment.storage,
    gradient.storage,
    parameter.storage,
    numbers,
    gradient.size,
  )
  return { update, firstMoment, secondMoment }
}

const derivedAdamW = <A extends Axes>(
  first: Tensor<A>,
  second: Tensor<A>,
  gradient: Tensor,
  parameter: Tensor,
  numbers: AdamWNumbers,
): AdamWStep<A> =>
  scope(() => {
    const { rate, beta1, beta2, epsilon, weightDecay, correction1, correction2 } = numbers
    const firstMoment = accumulate(scale(first, beta1), gradient, 1 - beta1)
    const secondMoment = accumulate(scale(second, beta2), square(gradient), 1 - beta2)
    first.release()
    second.release()
    const deviation = add(unary('sqrt', scale(secondMoment, 1 / correction2)), scalar(gradient, epsilon))
    const direction = divide(scale(firstMoment, 1 / correction1), deviation)
    const update = scale(add(direction, multiply(parameter, scalar(parameter, weightDecay))), -rate)
    return { update, firstMoment, secondMoment }
  })
