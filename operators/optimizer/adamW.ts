/**
 * Adam with decoupled weight decay. With t counted from 1:
 *
 *   m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
 *   u = -rate · ((m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε) + decay · p)
 *
 * Source: Kingma & Ba, arXiv 1412.6980, algorithm 1; Loshchilov & Hutter, arXiv 1711.05101, algorithm 2. Laws: O3, O4.
 * One fused kernel for all parameters, in place on both moments.
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { fraction, naturalNumber, nonNegativeNumber, withDefault } from '../../src/codec/fields.ts'
import type { Named } from '../../src/context.ts'
import { adamW as adamWKernel } from '../../src/kernel/adamW.ts'
import { zeros } from '../../src/kernel/fill.ts'
import { namedCodec } from '../../src/state.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { at, isEmpty, type Optimizer } from './optimizer.ts'
import { type Rate, rateOf } from './schedule/schedule.ts'

export interface AdamOptions {
  readonly rate: Rate
  /** Decay of the mean of gradients, in [0, 1); 0.9 unless said. */
  readonly beta1?: number
  /** Decay of the mean of squared gradients, in [0, 1); 0.999 unless said. */
  readonly beta2?: number
  /** Added to the deviation; 1e-8 unless said. */
  readonly epsilon?: number
}

export interface AdamWOptions extends AdamOptions {
  /** Pull towards zero, times the rate; 0.01 unless said. */
  readonly weightDecay?: number
  /** Which parameters decay; those of rank 2 and more unless said: matrices and embeddings, not biases and norms. */
  readonly decays?: (name: string, parameter: Tensor) => boolean
}

export interface AdamState {
  readonly step: number
  readonly firstMoment: Named
  readonly secondMoment: Named
}

const Options = t.type({
  beta1: withDefault(fraction, 0.9),
  beta2: withDefault(fraction, 0.999),
  epsilon: withDefault(nonNegativeNumber, 1e-8),
  weightDecay: withDefault(nonNegativeNumber, 0.01),
})
const codec: t.Type<AdamState, AdamState, unknown> = t.readonly(
  t.type({ step: naturalNumber, firstMoment: namedCodec, secondMoment: namedCodec }, "Adam's moments"),
)

export const adamW = (options: AdamWOptions): Optimizer<AdamState> => {
  const { beta1, beta2, epsilon, weightDecay } = decodeOrThrow(Options, options, 'adamW')
  const rateAt = rateOf(options.rate, 'adamW: rate')
  const decays = options.decays ?? ((_, parameter) => parameter.shape.length >= 2)
  return {
    codec,
    init: () => ({ step: 0, firstMoment: {}, secondMoment: {} }),
    step: (state, { gradient, parameters }) => {
      if (isEmpty(gradient)) return [gradient, state]
      return scope(() => {
        const step = state.step + 1
        const names = Object.keys(gradient)
        const steps = adamWKernel(
          names.map(name => {
            const g = at(gradient, name, 'adamW')
            const parameter = at(parameters, name, 'adamW')
            return {
              firstMoment: state.firstMoment[name] ?? zeros(g.engine, g.shape),
              secondMoment: state.secondMoment[name] ?? zeros(g.engine, g.shape),
              gradient: g,
              parameter,
              weightDecay: decays(name, parameter) ? weightDecay : 0,
            }
          }),
          {
            rate: rateAt(state.step),
            beta1,
            beta2,
            epsilon,
            correction1: 1 - beta1 ** step,
            correction2: 1 - beta2 ** step,
          },
        )
        const update: Record<string, Tensor> = {}
        const [firstMoment, secondMoment] = [{ ...state.firstMoment }, { ...state.secondMoment }]
        names.forEach((name, i) => {
          update[name] = steps[i].update
          firstMoment[name] = steps[i].firstMoment
          secondMoment[name] = steps[i].secondMoment
        })
        return [update, { step, firstMoment, secondMoment }]
      })
    },
  }
}
