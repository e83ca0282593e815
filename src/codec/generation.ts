/**
 * How text is generated: options of the library and the command line (`GenerationOptions`), and the same from a model
 * folder (`generation_config.json`, Hugging Face's names).
 */
import * as t from 'io-ts'
import {
  boolean,
  fraction,
  naturalNumber,
  nonEmptyText,
  nonNegativeNumber,
  nullable,
  oneOrMore,
  positiveFraction,
  positiveInteger,
  positiveNumber,
  seed,
  withDefault,
} from './fields.ts'
import { fromText } from './flag.ts'

/** Codecs by option; each also reads the text of a flag. */
export const generationFields = {
  /** Most tokens to generate. */
  tokens: withDefault(fromText(positiveInteger), 256),
  /** Logits are divided by it. */
  temperature: withDefault(fromText(positiveNumber), 1),
  /** Keep the k most probable tokens; null keeps all. */
  topK: nullable(fromText(positiveInteger)),
  /** Keep the smallest set of tokens with at least this probability. */
  topP: withDefault(fromText(positiveFraction), 1),
  /** Keep tokens at least this probable, relative to the most probable one. */
  minP: withDefault(fromText(fraction), 0),
  /** Logits of tokens already seen are divided (where positive) or multiplied (where negative) by it. */
  repetitionPenalty: withDefault(fromText(positiveNumber), 1),
  /** Always take the most probable token. */
  greedy: withDefault(boolean, false),
  /** Texts at which generation ends. */
  stop: withDefault(oneOrMore(nonEmptyText), []),
  seed: withDefault(fromText(seed), 0),
}

export const GenerationOptions = t.exact(t.type(generationFields), 'generation options')
export type GenerationOptions = t.TypeOf<typeof GenerationOptions>

const configFields = {
  do_sample: nullable(boolean),
  max_new_tokens: nullable(positiveInteger),
  temperature: nullable(nonNegativeNumber),
  /** 0 keeps all. */
  top_k: nullable(naturalNumber),
  top_p: nullable(positiveFraction),
  min_p: nullable(fraction),
  repetition_penalty: nullable(positiveNumber),
  bos_token_id: nullable(naturalNumber),
  eos_token_id: withDefault(oneOrMore(naturalNumber), []),
  stop_strings: withDefault(oneOrMore(nonEmptyText), []),
}

/** generation_config.json; absent fields are null, `eos_token_id` and `stop_strings` are lists. */
export const GenerationConfig = t.exact(t.type(configFields), 'a generation configuration')
export type GenerationConfig = t.TypeOf<typeof GenerationConfig>

/**
 * The options that a folder's generation_config.json sets, to be overridden by the user's own and decoded as
 * `GenerationOptions`. Temperature 0 or do_sample false
 * means greedy, top_k 0 no limit.
 */
export const generationDefaults = (config: GenerationConfig): Readonly<Record<string, unknown>> => ({
  tokens: config.max_new_tokens,
  temperature: config.temperature === 0 ? null : config.temperature,
  topK: config.top_k === 0 ? null : config.top_k,
  topP: config.top_p,
  minP: config.min_p,
  repetitionPenalty: config.repetition_penalty,
  greedy: config.temperature === 0 || config.do_sample === false,
  stop: config.stop_strings,
})
