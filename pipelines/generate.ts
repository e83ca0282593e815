import type { Observable } from 'rxjs'
import type { Logits } from '../operators/hidden.ts'
import { processors, type SamplerState, type StopState, sampler, stopStrings } from '../operators/sampling/index.ts'
import { type DetokenizerState, detokenizer } from '../operators/token/detokenizer.ts'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { positiveInteger } from '../src/codec/fields.ts'
import { GenerationOptions } from '../src/codec/generation.ts'
import type { Weights } from '../src/context.ts'
import type { HostData } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import type { Machine } from '../src/machine.ts'
import { key } from '../src/random.ts'
import { read } from '../src/tensor/tensor.ts'
import { tokens } from '../src/tensor/tokens.ts'
import { type Emission, feedback, type Pace, type Taps } from '../streams/index.ts'
import { type DecoderState, decoder } from './decoder.ts'
import { type LanguageModel, nextLogits } from './languageModel.ts'
import { promptIds } from './prompt.ts'

/** One generated token. The texts of a run, joined, are its whole text. */
export interface Generated {
  readonly token: number
  /** What became readable with this token: empty while a character or a possible stop string is unfinished. */
  readonly text: string
  /** The model's own log-probability of the token, in nats, before temperature and truncation (law L7). */
  readonly logProbability: number
  /** Index of the token in the whole sequence, the prompt included. */
  readonly position: number
}

/** What is not given has the defaults of `GenerationOptions`. */
export interface GenerateOptions extends Partial<GenerationOptions>, Pace {
  /** Ids that end the text, the model's own unless given; the one drawn is emitted with empty text. */
  readonly endIds?: readonly number[]
  /** Prompt tokens a forward pass takes: cancelling acts between passes. 512 unless given. */
  readonly prefillChunk?: number
  /** Shows values on their way, attention weights for instance, to whoever watches `tapped$`; asked for at each pass. */
  readonly taps?: Pick<Taps, 'tap'>
}

export interface GenerationModel {
  readonly model: LanguageModel
  readonly parameters: Weights
  readonly tokenizer: Tokenizer
  /** Ids that end a text. */
  readonly endIds?: readonly number[]
  /** The id that begins a text, where there is one. */
  readonly beginId?: number | null
}

/** A pass over the next tokens of the sequence; logits are wanted after the last of the prompt only. */
interface Pass {
  readonly ids: Int32Array
  readonly wanted: boolean
}

interface HostState {
  /** Prompt tokens not yet fed. */
  readonly waiting: Int32Array
  readonly sampler: SamplerState
  readonly detokenizer: DetokenizerState
  readonly stop: StopState
  readonly count: number
}

/**
 * Autoregressive decoding as feedback: the cached decoder on the device; sampler, detokenizer and stop rules on the host. n tokens cost n forward
 * passes, the prompt's included (law S8), where the prompt fits one chunk. Cold, and a function of its arguments: the same seed gives the same stream
 * (law S13). An empty prompt, or one that does not fit the model's context, is an `InputError`.
 */
export const generate = (
  source: GenerationModel,
  from: string | Int32Array,
  given: GenerateOptions = {},
): Observable<Generated> => {
  const { model, parameters, tokenizer } = source
  const { endIds = source.endIds ?? [], prefillChunk = 512, taps, demand$, scheduler } = given
  const options = decodeOrThrow(GenerationOptions, given, 'generation options')
  decodeOrThrow(positiveInteger, prefillChunk, 'prefillChunk')
  const prompt = typeof from === 'string' ? promptIds(source, from) : from
  if (prompt.length === 0) throw new InputError('prompt: expected at least one token, found none')
  if (prompt.length > model.positions)
    throw new InputError(`prompt: ${prompt.length} tokens do not fit the model's context of ${model.positions}`)
  const most = Math.min(options.tokens, model.positions - prompt.length + 1)
  // Only the penalty looks back: without it no step copies the ids before.
  const window = options.repetitionPenalty === 1 ? 0 : prompt.length + most
  const machine = sampler({
    window,
    key: key(options.seed),
    processor: processors(options),
    greedy: options.greedy,
    previous: [...prompt],
  })
  const text = detokenizer(tokenizer, { skipSpecial: true })
  const stops = stopStrings(options.stop)
  const ends = new Set(endIds)

  const pass = (ids: Int32Array): Pass => ({ ids: ids.subarray(0, prefillChunk), wanted: ids.length <= prefillChunk })
  const host: Machine<HostState, HostData | null, Emission<Generated, Pass>> = {
    init: () => ({
      waiting: prompt.subarray(prefillChunk),
      sampler: machine.init(),
      detokenizer: [...prompt].reduce((state, id) => text.step(state, id)[1], text.init()),
      stop: stops.init(),
      count: 0,
    }),
    step: (state, logits) => {
      if (logits === null)
        return [
          { emit: [], next: pass(state.waiting) },
          { ...state, waiting: state.waiting.subarray(prefillChunk) },
        ]
      const [{ token, logProbability }, drawn] = machine.step(state.sampler, logits)
      const position = prompt.length + state.count
      const count = state.count + 1
      const [piece, spoken] = ends.has(token) ? noText(state.detokenizer) : text.step(state.detokenizer, token)
      const [shown, stop] = stops.step(state.stop, piece)
      const ended = ends.has(token) || count >= most
      // What is still held becomes text when the run ends without a stop string.
      const rest = ended && !shown.stopped ? stops.flush(stop) + text.step(spoken, 'end')[0] : ''
      const emit = [{ token, text: shown.text + rest, logProbability, position }]
      const next = ended || shown.stopped ? null : { ids: Int32Array.of(token), wanted: true }
      return [
        { emit, next },
        { waiting: state.waiting, sampler: drawn, detokenizer: spoken, stop, count },
      ]
    },
  }
  return feedback({
    device: passes(model, parameters, prompt.length + most, taps),
    read: logits => (logits === null ? null : read(logits)),
    host,
    first: pass(prompt),
    ...(demand$ === undefined ? {} : { demand$ }),
    ...(scheduler === undefined ? {} : { scheduler }),
  })
}

/** An end id says nothing. */
const noText = (state: DetokenizerState): readonly [string, DetokenizerState] => ['', state]

/** The cached decoder over passes: what follows the trunk runs only where logits are wanted. */
const passes = (
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
    step: (state, { ids, wanted }) =>
      wanted ? whole.step(state, tokens(ids)) : [null, trunk.step(state, tokens(ids))[1]],
  }
}
