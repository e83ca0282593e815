/**
 * One optimizer after another: each takes the update before it as its gradient, all see the same parameters.
 *
 *   chain(a, b).step = b.step . a.step        state = [state of a, state of b]
 *
 * A monoid up to the nesting of states, with `identity` as its unit (law O1). Source: optax, combine.py.
 */

import { arrayOfEach } from '../../src/codec/arrayOfEach.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { GradientStep, Optimizer } from './optimizer.ts'

export function chain<const S extends readonly unknown[]>(
  ...optimizers: { readonly [K in keyof S]: Optimizer<S[K]> }
): Optimizer<S>
export function chain(...optimizers: readonly Optimizer<unknown>[]): Optimizer<readonly unknown[]> {
  return {
    codec: arrayOfEach(
      'the states of chained optimizers',
      optimizers.map(optimizer => optimizer.codec),
    ),
    init: () => optimizers.map(optimizer => optimizer.init()),
    step: (states, { gradient, parameters }: GradientStep) =>
      scope(() => {
        let update = gradient
        const next = optimizers.map((optimizer, i) => {
          const [output, state] = optimizer.step(states[i], { gradient: update, parameters })
          update = output
          return state
        })
        return [update, next]
      }),
  }
}
