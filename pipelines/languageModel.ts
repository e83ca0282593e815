import type { Hidden, Logits } from '../operators/hidden.ts'
import { lastPosition } from '../operators/lastPosition.ts'
import { compose, sequence } from '../src/compose.ts'
import type { Operator } from '../src/operator.ts'
import type { Tokens } from '../src/tensor/tokens.ts'

/** A model of p(x_t | x_<t): token ids to hidden vectors, and those to logits over the vocabulary. */
export interface LanguageModel {
  readonly body: Operator<Tokens, Hidden>
  readonly head: Operator<Hidden, Logits>
  /** Positions that one sequence may have. */
  readonly positions: number
  readonly vocabulary: number
}

/** Logits of every position, (batch, time, vocabulary): what training uses. */
export const everyLogits = ({ body, head }: LanguageModel): Operator<Tokens, Logits> => compose(body, head)

/** Logits after the last position only, (batch, 1, vocabulary): what decoding uses. */
export const nextLogits = ({ body, head }: LanguageModel): Operator<Tokens, Logits> =>
  sequence(body, lastPosition, head)
