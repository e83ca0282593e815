import type { StopRule } from './stop.ts'
import { type StopState, stopStrings } from './stopStrings.ts'

/** As a stop rule: stops with the token that completes one of the strings, across the borders of tokens (law G6). */
export const stopAtText = (strings: readonly string[]): StopRule<StopState> => {
  const { codec, init, step } = stopStrings(strings)
  return {
    codec,
    init,
    step: (state, { text }) => {
      const [{ stopped }, next] = step(state, text)
      return [stopped, next]
    },
  }
}
