import type { Observable } from 'rxjs'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import type { GenerationOptions } from '../src/codec/generation.ts'
import type { Weights } from '../src/context.ts'
import type { Key } from '../src/random.ts'
import type { Pace, Taps } from '../streams/index.ts'
import { generateRows } from './generateRows.ts'
import type { LanguageModel } from './languageModel.ts'

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
  /** What the text is drawn by; the key of `seed` unless given. */
  readonly key?: Key
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

/**
 * Autoregressive decoding as feedback: the cached decoder on the device; sampler, detokenizer and stop rules on the host. n tokens cost n forward
 * passes, the prompt's included (law S8), where the prompt fits one chunk. Cold, and a function of its arguments: the same seed gives the same stream
 * (law S13). An empty prompt, or one that does not fit the model's context, is an `InputError`.
 */
export const generate = (
  source: GenerationModel,
  from: string | Int32Array,
  options: GenerateOptions = {},
): Observable<Generated> =>
  generateRows(source, from, options, {
    keys: own => [own],
    emission: ({ generated }) => generated,
  })
