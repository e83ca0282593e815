import * as t from 'io-ts'
import type { Named } from '../../src/context.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type GradientStep, isEmpty, type Optimizer } from './optimizer.ts'

/** An optimizer that remembers nothing: a function of one gradient, not asked about an empty one. */
export const stateless = (f: (gradient: Named, parameters: Named) => Named): Optimizer<null> => ({
  codec: t.null,
  init: () => null,
  step: (state, { gradient, parameters }: GradientStep) => [
    isEmpty(gradient) ? gradient : scope(() => f(gradient, parameters)),
    state,
  ],
})
