import type { Activation } from '../engine/fused.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import { add, multiply, oneMinus, scalar, scale } from './binary.ts'
import { launch, TRANSCENDENTAL_FLOPS } from './launch.ts'
import { square, unary } from './unary.ts'

const SQRT_HALF = Math.SQRT1_2
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI)
/** Hendrycks & Gimpel, arXiv 1606.08415: the cubic coefficient of gelu's tanh form. */
const CUBIC = 0.044715

/**
 * relu = max(x, 0); gelu = x Φ(x) with Φ by erf; geluTanh = x (1 + tanh(√(2/π)(x + 0.044715 x³))) / 2 (GPT-2's `gelu_new`); silu = x σ(x);
 * tanh; sigmoid. Law N8.
 */
export const activation = <A extends Axes>(kind: Activation, x: Tensor<A>): Tensor<A> => {
  const override = x.engine.fused.activation
  if (override === undefined) return scope(() => derived[kind].value(x))
  const y = empty<A>(x.engine, x.shape)
  launch(x.engine, TRANSCENDENTAL_FLOPS * x.size, x, y)
  override(kind, y.storage, x.storage, x.size)
  return y
}

export interface Sloped<A extends Axes> {
  readonly value: Tensor<A>
  /** f'(x): the pullback is dx = dy f'(x). */
  readonly slope: Tensor<A>
}

/** `activation` and its derivative, which share their exponentials. */
export const activationWithSlope = <A extends Axes>(kind: Activation, x: Tensor<A>): Sloped<A> => {
  const override = x.engine.fused.activationWithSlope
  if (override === undefined)
    return scope(() => ({ value: derived[kind].value(x), slope: derived[kind].derivative(x) }))
  const value = empty<A>(x.engine, x.shape)
  const slope = empty<A>(x.engine, x.shape)
  launch(x.engine, TRANSCENDENTAL_FLOPS * x.size, x, value, slope)
  override(kind, value.storage, slope.storage, x.storage, x.size)
  return { value, slope }
}

interface Derived {
  readonly value: <A extends Axes>(x: Tensor<A>) => Tensor<A>
  readonly derivative: <A extends Axes>(x: Tensor<A>) => Tensor<A>
}

const plus = <A extends Axes>(x: Tensor<A>, number: number): Tensor<A> => add(x, scalar(x, number))

/** Φ(x) = (1 + erf(x / √2)) / 2. */
const normalCumulative = <A extends Axes>(x: Tensor<A>): Tensor<A> =>
  scale(plus(unary('erf', scale(x, SQRT_HALF)), 1), 0.5)
/** φ(x) = exp(-x²/2) / √(2π). */
const normalDensity = <A extends Axes>(x: Tensor<A>): Tensor<A> =>
  scale(unary('exp', scale(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
/** tanh(√(2/π)(x + 0.044715 x³)). */
const tanhOfCubic = <A extends Axes>(x: Tensor<A>): Tensor<A> =>
  unary('tanh', scale(multiply(x, plus(scale(square(x), CUBIC), 1)), SQRT_2_OVER_PI))

const derived: Readonly<Record<Activation, Derived>> = {
  relu: { value: x => unary('relu', x), derivative: x => unary('step', x) },
  tanh: { value: x => unary('tanh', x), derivative: x => oneMinus(square(unary('tanh', x))) },
  sigmoid: {
    value: x => unary('sigmoid', x),
    derivative: x => {
      const y = unary('sigmoid', x)
      return multiply(y, oneMinus(y))
    },
  },
  silu: {
    value: x => multiply(x, unary('sigmoid', x)),
    // σ (1 + x (1 - σ))
    derivative: x => {
      const y = unary('sigmoid', x)
      return multiply(y, plus(multiply(x, oneMinus(y)), 1))
    },
  },
  gelu: {
    value: x => multiply(x, normalCumulative(x)),
    derivative: x => add(normalCumulative(x), multiply(x, normalDensity(x))),
  },
  geluTanh: {
    value: x => multiply(scale(x, 0.5), plus(tanhOfCubic(x), 1)),
    // (1 + t)/2 + x (1 - t²) √(2/π) (1 + 3 · 0.044715 x²) / 2
    derivative: x => {
      const t = tanhOfCubic(x)
      const inner = scale(plus(scale(square(x), 3 * CUBIC), 1), SQRT_2_OVER_PI / 2)
      return add(scale(plus(t, 1), 0.5), multiply(multiply(x, oneMinus(square(t))), inner))
    },
  },
}
