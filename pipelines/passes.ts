import type { Logits } from '../operators/hidden.ts'
import type { Weights } from '../src/context.ts'
import type { Machine } from '../src/machine.ts'
import type { Tokens } from '../src/tensor/tokens.ts'
import type { Taps } from '../streams/index.ts'
import { type DecoderState, decoder, select } from './decoder.ts'
import { type LanguageModel, nextLogits } from './languageModel.ts'

/** One forward pass of the cached decoder. */
export interface Pass {
  /** The next tokens of each row, (rows, time). */
  readonly tokens: Tokens
  /** Rows of the batch before that these tokens continue; null: all, as they are. */
  readonly rows: readonly number[] | null
  /** Whether logits are wanted after the last token: not between the chunks of a prompt. */
  readonly wanted: boolean
}

/** The cached decoder over passes: what follows the trunk runs only where logits, (rows, 1, vocabulary), are wanted. */
export const passes = (
  model: LanguageModel,
  parameters: Weights,
  capacity: number,
  taps: Pick<Taps, 'tap'> | undefined,
): Machine<DecoderState, Pass, Logits | null> => {
  const options = { parameters, capacity: Math.min(capacity, model.positions), ...(taps === undefined ? {} : { taps }) }
  const whole = decoder(nextLogits(model), options)
  const trunk = decoder(model.trunk, options)
  return {
    init: whole.init,
    step: (before, { tokens, rows, wanted }) => {
      const state = rows === null ? before : select(before, rows)
      return wanted ? whole.step(state, tokens) : [null, trunk.step(state, tokens)[1]]
    },
  }
}
