/**
 * Stop rules: machines that see each token with its text and answer whether the run ends after it. They form a commutative monoid under
 * `anyOf`, with `neverStop` as its unit (law G6).
 */
import * as t from 'io-ts'
import type { Machine } from '../../src/machine.ts'

export interface Generated {
  readonly token: number
  /** What the token added to the text; may be empty, where it is part of a character. */
  readonly text: string
}

export interface StopRule<S> extends Machine<S, Generated, boolean> {
  readonly codec: t.Type<S, unknown, unknown>
}

/** A rule that remembers nothing. */
export const stopWhen = (predicate: (generated: Generated) => boolean): StopRule<null> => ({
  codec: t.null,
  init: () => null,
  step: (state, generated) => [predicate(generated), state],
})

/** The unit: free running. */
export const neverStop = stopWhen(() => false)
