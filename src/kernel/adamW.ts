import type { AdamWNumbers } from '../engine/fused.ts'
import { scope } from '../tensor/scope.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { expectShape } from './axis.ts'
import { add, divide, multiply, scalar, scale } from './binary.ts'
import { accumulate, take } from './inPlace.ts'
import { launch } from './launch.ts'
import { square, unary } from './unary.ts'

export interface AdamWOperands {
  /** Consumed, as is the second moment. */
  readonly firstMoment: Tensor
  readonly secondMoment: Tensor
  readonly gradient: Tensor
  readonly parameter: Tensor
  readonly weightDecay: number
}

export interface AdamWStep {
  readonly update: Tensor
  readonly firstMoment: Tensor
  readonly secondMoment: Tensor
}

/** Of an element: the first moment 3, the second 4, their corrections 2, root, ε and quotient 3, decay 2, rate 1. */
const FLOPS = 15

/**
 * For each tensor m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²; update = -rate (m̂ / (√v̂ + ε) + decay · parameter). Consumes the moments.
 * Source: Kingma & Ba, arXiv 1412.6980, algorithm 1; decoupled decay by Loshchilov & Hutter, arXiv 1711.05101. Laws O3, O4.
 * All tensors in one launch: a model has hundreds, most of them small.
 */
export const adamW = (operands: readonly AdamWOperands[], numbers: AdamWNumbers): readonly AdamWStep[] => {
  for (const { firstMoment, secondMoment, gradient, parameter } of operands)
    for (const x of [firstMoment, secondMoment, parameter]) expectShape('adamW', x.shape, gradient.shape)
  const engine = operands[0]?.gradient.engine
  if (engine === undefined) return []
  const override = engine.fused.adamW
  if (override === undefined) return operands.map(one => derivedAdamW(one, numbers))
  const steps = operands.map(({ firstMoment, secondMoment, gradient }) => ({
    update: empty(engine, gradient.shape),
    firstMoment: take(firstMoment),
    secondMoment: take(secondMoment),
  }))
  const moved: Tensor[] = []
  const tensors = steps.map(({ update, firstMoment, secondMoment }, i) => {
    const { gradient, parameter, weightDecay } = operands[i]
    moved.push(update, firstMoment, firstMoment, secondMoment, secondMoment, gradient, parameter)
    return {
      update: update.storage,
      firstMoment: firstMoment.storage,
      secondMoment: secondMoment.storage,
      gradient: gradient.storage,
      parameter: parameter.storage,
      weightDecay,
      size: gradient.size,
    }
  })
  launch(engine, FLOPS * tensors.reduce((n, { size }) => n + size, 0), ...moved)
  override(tensors, numbers)
  return steps
}

const derivedAdamW = (
  { firstMoment: first, secondMoment: second, gradient, parameter, weightDecay }: AdamWOperands,
  { rate, beta1, beta2, epsilon, correction1, correction2 }: AdamWNumbers,
): AdamWStep =>
  scope(() => {
    const firstMoment = accumulate(scale(first, beta1), gradient, 1 - beta1)
    const secondMoment = accumulate(scale(second, beta2), square(gradient), 1 - beta2)
    first.release()
    second.release()
    const deviation = add(unary('sqrt', scale(secondMoment, 1 / correction2)), scalar(gradient, epsilon))
    const direction = divide(scale(firstMoment, 1 / correction1), deviation)
    const update = scale(add(direction, multiply(parameter, scalar(parameter, weightDecay))), -rate)
    return { update, firstMoment, secondMoment }
  })
