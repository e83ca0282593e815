import { arrayOfEach } from '../../src/codec/arrayOfEach.ts'
import type { StopRule } from './stop.ts'

/**
 * Stops when any of the rules does: associative, commutative, `neverStop` its unit (law G6). Every rule sees every token, so no rule's
 * memory depends on the others.
 */
export function anyOf<const S extends readonly unknown[]>(
  ...rules: { readonly [K in keyof S]: StopRule<S[K]> }
): StopRule<S>
export function anyOf(...rules: readonly StopRule<unknown>[]): StopRule<readonly unknown[]> {
  return {
    codec: arrayOfEach(
      'the states of stop rules',
      rules.map(rule => rule.codec),
    ),
    init: () => rules.map(rule => rule.init()),
    step: (states, generated) => {
      const answers = rules.map((rule, i) => rule.step(states[i], generated))
      return [answers.some(([stop]) => stop), answers.map(([, state]) => state)]
    },
  }
}
