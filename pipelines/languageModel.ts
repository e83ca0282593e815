import type { Hidden, Logits } from '../operators/hidden.ts'
import { lastPosition } from '../operators/lastPosition.ts'
import { compose, sequence, stack } from '../src/compose.ts'
import type { Operator } from '../src/operator.ts'
import { scoped } from '../src/scoped.ts'
import type { Tokens } from '../src/tensor/tokens.ts'

/** A model of p(x_t | x_<t), in three parts. */
export interface LanguageModel {
  /** Token ids to hidden vectors, up to the last operator that looks at other positions. */
  readonly trunk: Operator<Tokens, Hidden>
  /** What follows position by position: the last feed-forward network and norm. */
  readonly tail: Operator<Hidden, Hidden>
  /** Hidden vectors to logits over the vocabulary. */
  readonly head: Operator<Hidden, Logits>
  /** Positions that one sequence may have. */
  readonly positions: number
  readonly vocabulary: number
}

/** Hidden vectors of every position, (batch, time, width). */
export const everyHidden = ({ trunk, tail }: LanguageModel): Operator<Tokens, Hidden> => compose(trunk, tail)

/** Logits of every position, (batch, time, vocabulary): what training uses. */
export const everyLogits = (model: LanguageModel): Operator<Tokens, Logits> => compose(everyHidden(model), model.head)

/** Logits after the last position only, (batch, 1, vocabulary): what decoding uses. No other position passes the tail. */
export const nextLogits = ({ trunk, tail, head }: LanguageModel): Operator<Tokens, Logits> =>
  sequence(trunk, lastPosition, tail, head)

/** A block of a transformer: a half that looks at other positions, and one that does not. */
export interface Block {
  readonly attention: Operator<Hidden, Hidden>
  readonly feedForward: Operator<Hidden, Hidden>
}

/** `layers` blocks under `name` and their number, cut where the last one has looked at other positions. */
export const blocks = (
  name: string,
  layers: number,
  { attention, feedForward }: Block,
): Pick<LanguageModel, 'tail'> & { readonly trunk: Operator<Hidden, Hidden> } => {
  const block = compose(attention, feedForward)
  const last = `${name}.${layers - 1}`
  const before = Array.from({ length: layers - 1 }, (_, layer) => scoped(`${name}.${layer}`, block))
  return { trunk: stack([...before, scoped(last, attention)]), tail: scoped(last, feedForward) }
}
