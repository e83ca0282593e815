/**
 * The gradient over its running root mean square:
 *
 *   v ← decay · v + (1 - decay) g²        u = -rate · g / (√v + ε)
 *
 * Source: Tieleman & Hinton, Coursera lecture 6.5, 2012, in PyTorch's form. Adam without the first moment and the corrections.
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { fraction, nonNegativeNumber, withDefault } from '../../src/codec/fields.ts'
import type { Named } from '../../src/context.ts'
import { add, divide, scalar, scale } from '../../src/kernel/binary.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import { square, unary } from '../../src/kernel/unary.ts'
import { namedCodec } from '../../src/state.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { chain } from './chain.ts'
import type { StepCount } from './counted.ts'
import { isEmpty, mapNamed, type Optimizer } from './optimizer.ts'
import type { Rate } from './schedule/schedule.ts'
import { sgd } from './sgd.ts'

export interface RmspropOptions {
  readonly rate: Rate
  /** In [0, 1); 0.99 unless said. */
  readonly decay?: number
  /** Added to the root; 1e-8 unless said. */
  readonly epsilon?: number
}

export interface MeanSquareState {
  readonly meanSquare: Named
}

const Options = t.type({ decay: withDefault(fraction, 0.99), epsilon: withDefault(nonNegativeNumber, 1e-8) })
const codec: t.Type<MeanSquareState, MeanSquareState, unknown> = t.readonly(
  t.type({ meanSquare: namedCodec }, 'mean squares'),
)

export const rmsprop = ({ rate, ...options }: RmspropOptions): Optimizer<readonly [MeanSquareState, StepCount]> =>
  chain(divideByRoot(options), sgd(rate))

const divideByRoot = (options: Omit<RmspropOptions, 'rate'>): Optimizer<MeanSquareState> => {
  const { decay, epsilon } = decodeOrThrow(Options, options, 'rmsprop')
  const follow = (old: Tensor | undefined, g: Tensor): Tensor => {
    if (old === undefined) return scale(square(g), 1 - decay)
    const mean = accumulate(scale(old, decay), square(g), 1 - decay)
    old.release()
    return mean
  }
  return {
    codec,
    init: () => ({ meanSquare: {} }),
    step: (state, { gradient }) => {
      if (isEmpty(gradient)) return [gradient, state]
      return scope(() => {
        const meanSquare = {
          ...state.meanSquare,
          ...mapNamed(gradient, (g, name) => follow(state.meanSquare[name], g)),
        }
        const update = mapNamed(gradient, (g, name) =>
          divide(g, add(unary('sqrt', meanSquare[name]), scalar(g, epsilon))),
        )
        return [update, { meanSquare }]
      })
    },
  }
}
