import type { Context } from '../src/context.ts'
import type { Activation } from '../src/engine/fused.ts'
import { activationWithSlope, activation as alone } from '../src/kernel/activation.ts'
import { multiply } from '../src/kernel/binary.ts'
import { type Pulled, valueOnly } from '../src/operator.ts'
import type { Axes, Tensor } from '../src/tensor/tensor.ts'

/** An elementwise non-linearity by its kind. Law N8. */
export const activation =
  (kind: Activation) =>
  <A extends Axes>(c: Context, x: Tensor<A>): Pulled<Tensor<A>, Tensor<A>> => {
    if (!c.differentiable) return valueOnly(alone(kind, x), {})
    const { value, slope } = activationWithSlope(kind, x)
    return { value, state: {}, saved: [slope], pullback: dy => [{}, multiply(dy, slope)] }
  }

export const relu = activation('relu')
/** x Φ(x), by erf (Hendrycks & Gimpel, arXiv 1606.08415). */
export const gelu = activation('gelu')
/** The tanh form, GPT-2's `gelu_new`. */
export const geluTanh = activation('geluTanh')
/** x σ(x), also called swish. */
export const silu = activation('silu')
export const tanh = activation('tanh')
export const sigmoid = activation('sigmoid')
