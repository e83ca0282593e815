import { processors, type SamplerState, type StopState, sampler, stopStrings } from '../operators/sampling/index.ts'
import { type DetokenizerState, detokenizer } from '../operators/token/detokenizer.ts'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import type { GenerationOptions } from '../src/codec/generation.ts'
import type { HostData } from '../src/engine/engine.ts'
import type { Machine } from '../src/machine.ts'
import { key } from '../src/random.ts'
import type { Generated } from './generate.ts'

/** What a text in the making remembers: plain values. */
export interface ContinuationState {
  readonly sampler: SamplerState
  readonly detokenizer: DetokenizerState
  readonly stop: StopState
  /** Tokens drawn. */
  readonly count: number
}

export interface Continued {
  readonly generated: Generated
  /** The text ends with this token. */
  readonly ended: boolean
}

export interface ContinuationOptions {
  readonly prompt: Int32Array
  readonly tokenizer: Tokenizer
  readonly endIds: readonly number[]
  /** Most tokens to draw: as many as asked for and as fit the context. */
  readonly most: number
}

/** The host's half of decoding one text: logits (vocabulary) to the next token, by sampler, detokenizer and stop rules. */
export const continuation = (
  { prompt, tokenizer, endIds, most }: ContinuationOptions,
  options: GenerationOptions,
): Machine<ContinuationState, HostData, Continued> => {
  const draw = sampler({
    key: key(options.seed),
    processor: processors(options),
    greedy: options.greedy,
    previous: [...prompt],
    // Only the penalty looks back: without it no step copies the ids before.
    window: options.repetitionPenalty === 1 ? 0 : prompt.length + most,
  })
  const text = detokenizer(tokenizer, { skipSpecial: true })
  const stops = stopStrings(options.stop)
  const ends = new Set(endIds)
  return {
    init: () => ({
      sampler: draw.init(),
      detokenizer: [...prompt].reduce((state, id) => text.step(state, id)[1], text.init()),
      stop: stops.init(),
      count: 0,
    }),
    step: (state, logits) => {
      const [{ token, logProbability }, drawn] = draw.step(state.sampler, logits)
      const position = prompt.length + state.count
      const count = state.count + 1
      // An end id says nothing.
      const [piece, spoken] = ends.has(token) ? ['', state.detokenizer] : text.step(state.detokenizer, token)
      const [shown, stop] = stops.step(state.stop, piece)
      const over = ends.has(token) || count >= most
      // What is still held becomes text when the run ends without a stop string.
      const rest = over && !shown.stopped ? stops.flush(stop) + text.step(spoken, 'end')[0] : ''
      return [
        { generated: { token, text: shown.text + rest, logProbability, position }, ended: over || shown.stopped },
        { sampler: drawn, detokenizer: spoken, stop, count },
      ]
    },
  }
}
