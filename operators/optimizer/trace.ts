/**
 * The running sum of gradients that momentum follows:
 *
 *   v ← decay · v + g        u = v, or with Nesterov's look-ahead u = g + decay · v
 *
 * Source: Sutskever et al., "On the importance of initialization and momentum", 2013, in PyTorch's form (no dampening).
 * Decay 0 is the identity (law O2).
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { boolean, fraction, withDefault } from '../../src/codec/fields.ts'
import type { Named } from '../../src/context.ts'
import { scale } from '../../src/kernel/binary.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import { namedCodec } from '../../src/state.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { isEmpty, mapNamed, type Optimizer } from './optimizer.ts'

export interface TraceOptions {
  /** In [0, 1); 0.9 unless said. */
  readonly decay?: number
  readonly nesterov?: boolean
}

export interface TraceState {
  readonly velocity: Named
}

const Options = t.type({ decay: withDefault(fraction, 0.9), nesterov: withDefault(boolean, false) })
const codec: t.Type<TraceState, TraceState, unknown> = t.readonly(t.type({ velocity: namedCodec }, 'a velocity'))

export const trace = (options: TraceOptions = {}): Optimizer<TraceState> => {
  const { decay, nesterov } = decodeOrThrow(Options, options, 'momentum')
  const follow = (old: Tensor | undefined, g: Tensor): Tensor => {
    if (old === undefined) return g.share()
    const velocity = accumulate(scale(old, decay), g)
    old.release()
    return velocity
  }
  return {
    codec,
    init: () => ({ velocity: {} }),
    step: (state, { gradient }) => {
      if (isEmpty(gradient)) return [gradient, state]
      return scope(() => {
        const velocity = { ...state.velocity, ...mapNamed(gradient, (g, name) => follow(state.velocity[name], g)) }
        const update = mapNamed(gradient, (g, name) =>
          nesterov ? accumulate(scale(velocity[name], decay), g) : velocity[name].share(),
        )
        return [update, { velocity }]
      })
    },
  }
}
