/**
 * From logits to a token, a machine of plain values:
 *
 *   token_t = draw(processor(logits_t, previous), uniform of fold(key, t))
 *
 * The state holds the key, the number of tokens drawn and the ids before, so that a run replays from any token (law G3): step t never
 * depends on how often randomness was drawn before.
 *
 * `logProbability` is the model's own: log softmax of the logits as given, not as processed. Summed over a text it is the model's
 * log-likelihood of it, whatever the sampler was (law L7).
 */
import * as t from 'io-ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { integerIn, naturalNumber } from '../../src/codec/fields.ts'
import type { HostData } from '../../src/engine/engine.ts'
import type { Machine } from '../../src/machine.ts'
import { fold, type Key, uniform64At } from '../../src/random.ts'
import { greedy } from './greedy.ts'
import { logProbability } from './logProbability.ts'
import { type Processor, unchanged } from './processor.ts'
import { sample } from './sample.ts'
import { massOf } from './weight.ts'

export interface SamplerOptions {
  readonly key: Key
  /** Applied to a copy of the logits; unchanged unless said. */
  readonly processor?: Processor
  /** Takes the most probable token, after the processor, instead of drawing one. */
  readonly greedy?: boolean
  /** Ids of the prompt, for processors that look back. */
  readonly previous?: readonly number[]
  /** How many of the latest ids processors see; all unless said. */
  readonly window?: number
}

export interface SamplerState {
  readonly key: Key
  /** Tokens drawn. */
  readonly step: number
  readonly previous: readonly number[]
}

export interface Sampled {
  readonly token: number
  /** In nats, ≤ 0. */
  readonly logProbability: number
}

const word = integerIn('a 32-bit word', n => n >= 0 && n < 2 ** 32)
const codec: t.Type<SamplerState, unknown, unknown> = t.readonly(
  t.type(
    { key: t.readonly(t.tuple([word, word])), step: naturalNumber, previous: t.readonlyArray(naturalNumber) },
    "a sampler's state",
  ),
)

export interface Sampler extends Machine<SamplerState, HostData, Sampled> {
  readonly codec: t.Type<SamplerState, unknown, unknown>
}

export const sampler = (options: SamplerOptions): Sampler => {
  const { key, processor = unchanged, previous = [] } = options
  const window =
    options.window === undefined ? Infinity : decodeOrThrow(naturalNumber, options.window, 'sampler: window')
  const latest = (ids: readonly number[]) => (ids.length <= window ? ids : ids.slice(ids.length - window))
  // Steps are synchronous, so every run of this sampler may use the same scratch.
  let scratch = new Float64Array(0)
  const process = (logits: HostData, ids: readonly number[]): HostData => {
    if (processor === unchanged) return logits
    if (scratch.length !== logits.length) scratch = new Float64Array(logits.length)
    scratch.set(logits)
    return processor(scratch, ids)
  }
  return {
    codec,
    init: () => ({ key, step: 0, previous: latest(previous) }),
    step: (state, logits) => {
      const mass = massOf(logits)
      const processed = process(logits, state.previous)
      const untouched = processed === logits
      const token = options.greedy
        ? untouched
          ? processed.indexOf(mass.max)
          : greedy(processed)
        : sample(processed, uniform64At(fold(state.key, state.step), 0), untouched ? mass : massOf(processed))
      return [
        { token, logProbability: logProbability(logits, token, mass) },
        { key: state.key, step: state.step + 1, previous: window === 0 ? [] : latest([...state.previous, token]) },
      ]
    },
  }
}
