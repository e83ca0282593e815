/** Kernels with their pullbacks as operators, so that the laws of operators (D3, D4) hold each pullback kernel. */
import { type Context, parameter, zerosInit } from '../../src/context.ts'
import type { Activation } from '../../src/engine/fused.ts'
import { activationWithSlope } from '../../src/kernel/activation.ts'
import { type AttentionOptions, attention, attentionPullback } from '../../src/kernel/attention.ts'
import { lastLength } from '../../src/kernel/axis.ts'
import { multiply } from '../../src/kernel/binary.ts'
import {
  type CrossEntropyOptions,
  crossEntropy,
  crossEntropyPullback,
  crossEntropySizes,
} from '../../src/kernel/crossEntropy.ts'
import { layerNorm, layerNormPullback } from '../../src/kernel/layerNorm.ts'
import { linear, linearPullback } from '../../src/kernel/linear.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { rmsNorm, rmsNormPullback } from '../../src/kernel/rmsNorm.ts'
import { rotary } from '../../src/kernel/rotary.ts'
import { softmax, softmaxPullback } from '../../src/kernel/softmax.ts'
import type { Operator } from '../../src/operator.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'

type Map = Operator<Tensor, Tensor>

export const softmaxOperator: Map = (_, x) => {
  const y = softmax(x)
  return { value: y, state: {}, saved: [y], pullback: dy => [{}, softmaxPullback(dy, y)] }
}

export const activationOperator =
  (kind: Activation): Map =>
  (_, x) => {
    const { value, slope } = activationWithSlope(kind, x)
    return { value, state: {}, saved: [slope], pullback: dy => [{}, multiply(dy, slope)] }
  }

const own = (c: Context, name: string, shape: readonly number[], there: boolean): Tensor | null =>
  there ? parameter(c, name, shape, zerosInit) : null

/** The gradients that are there, by path. */
const named = (c: Context, gradients: Readonly<Record<string, Tensor | null>>): Record<string, Tensor> => {
  const result: Record<string, Tensor> = {}
  for (const [name, gradient] of Object.entries(gradients)) if (gradient !== null) result[c.path + name] = gradient
  return result
}

/** Parameters `weight` and `bias` where asked for. */
export const layerNormOperator =
  (weighted: boolean, biased: boolean): Map =>
  (c, x) => {
    const weight = own(c, 'weight', [lastLength(x)], weighted)
    const normalized = layerNorm(x, weight, own(c, 'bias', [lastLength(x)], biased), 1e-5)
    return {
      value: normalized.value,
      state: {},
      saved: [x, normalized.mean, normalized.deviation],
      pullback: dy => {
        const { dx, dWeight, dBias } = layerNormPullback(dy, x, weight, biased, normalized)
        return [named(c, { weight: dWeight, bias: dBias }), dx]
      },
    }
  }

export const rmsNormOperator =
  (weighted: boolean): Map =>
  (c, x) => {
    const weight = own(c, 'weight', [lastLength(x)], weighted)
    const { value, deviation } = rmsNorm(x, weight, 1e-5)
    return {
      value,
      state: {},
      saved: [x, deviation],
      pullback: dy => {
        const { dx, dWeight } = rmsNormPullback(dy, x, weight, deviation)
        return [named(c, { weight: dWeight }), dx]
      },
    }
  }

export const linearOperator =
  (columns: number, biased: boolean, transposed: boolean, name = ''): Map =>
  (c, x) => {
    const inner = lastLength(x)
    const weight = parameter(c, `${name}weight`, transposed ? [columns, inner] : [inner, columns], zerosInit)
    return {
      value: linear(x, weight, own(c, `${name}bias`, [columns], biased), transposed),
      state: {},
      saved: [x],
      pullback: dy => {
        const { dx, dWeight, dBias } = linearPullback(dy, x, weight, biased, transposed)
        return [named(c, { [`${name}weight`]: dWeight, [`${name}bias`]: dBias }), dx]
      },
    }
  }

export const matmulOperator: Operator<readonly [Tensor, Tensor], Tensor> = (_, [x, y]) => ({
  value: matmulTransposed(x, y, {}),
  state: {},
  saved: [x, y],
  pullback: dz => [{}, [matmulTransposed(dz, y, { transposeY: true }), matmulTransposed(x, dz, { transposeX: true })]],
})

export const rotaryOperator =
  (cosine: Tensor, sine: Tensor, heads: number): Map =>
  (_, x) => ({
    value: rotary(x, cosine, sine, heads, false),
    state: {},
    saved: [],
    pullback: dy => [{}, rotary(dy, cosine, sine, heads, true)],
  })

export const attentionOperator =
  (options: AttentionOptions): Operator<readonly [Tensor, Tensor, Tensor], Tensor> =>
  (_, [query, key, value]) => {
    const attended = attention(query, key, value, options)
    return {
      value: attended.value,
      state: {},
      saved: [query, key, value, attended.value, attended.logSumExp],
      pullback: dy => {
        const { dQuery, dKey, dValue } = attentionPullback(dy, query, key, value, attended, options)
        return [{}, [dQuery, dKey, dValue]]
      },
    }
  }

/** One loss a row. */
export const crossEntropyOperator =
  (targets: Tokens, options: CrossEntropyOptions): Map =>
  (_, logits) => {
    const sizes = crossEntropySizes(logits, targets, options)
    const { losses, logSumExp } = crossEntropy(logits, sizes)
    return {
      value: losses,
      state: {},
      saved: [logits, logSumExp],
      pullback: dy => [{}, crossEntropyPullback(dy, logits, logSumExp, sizes)],
    }
  }
