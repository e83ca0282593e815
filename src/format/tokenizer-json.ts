/**
 * The outer form of Hugging Face's `tokenizer.json`: added tokens, five stages, a model. What each stage means is decided where
 * tokenizers are made. Source: huggingface/tokenizers, `tokenizer/serialization.rs`.
 */
import * as t from 'io-ts'
import { decodeOrThrow, orThrow } from '../codec/decode.ts'
import { boolean, nullable, text, withDefault } from '../codec/fields.ts'
import { parseJson } from '../codec/json.ts'
import { tokenId, tokenPair, vocabulary } from './vocabulary.ts'

const addedToken = t.intersection([
  t.type({ id: tokenId, content: text }, 'an added token'),
  t.type({
    special: withDefault(boolean, false),
    lstrip: withDefault(boolean, false),
    rstrip: withDefault(boolean, false),
    single_word: withDefault(boolean, false),
  }),
])

/** A stage is known by its type; the fields of all types that are read here. */
export interface Stage {
  readonly type: string
  readonly normalizers?: readonly Stage[] | undefined
  readonly pretokenizers?: readonly Stage[] | undefined
  readonly processors?: readonly Stage[] | undefined
  readonly decoders?: readonly Stage[] | undefined
  readonly prepend?: string | undefined
  readonly content?: string | undefined
  readonly pattern?: { readonly String?: string | undefined; readonly Regex?: string | undefined } | undefined
  readonly behavior?: string | undefined
  readonly invert?: boolean | undefined
  readonly add_prefix_space?: boolean | null | undefined
  readonly use_regex?: boolean | undefined
  readonly replacement?: string | undefined
  readonly prepend_scheme?: string | undefined
  readonly split?: boolean | undefined
  readonly single?: readonly Readonly<Record<string, unknown>>[] | undefined
  readonly special_tokens?: Readonly<Record<string, { readonly ids: readonly number[] }>> | undefined
  readonly cls?: readonly [string, number] | undefined
  readonly sep?: readonly [string, number] | undefined
}

const stage: t.Type<Stage, unknown, unknown> = t.recursion('a stage with a type', self =>
  t.intersection([
    t.type({ type: text }),
    t.partial({
      normalizers: t.readonlyArray(self),
      pretokenizers: t.readonlyArray(self),
      processors: t.readonlyArray(self),
      decoders: t.readonlyArray(self),
      prepend: text,
      content: text,
      pattern: t.partial({ String: text, Regex: text }),
      behavior: text,
      invert: boolean,
      add_prefix_space: t.union([boolean, t.null, t.undefined], 'true or false'),
      use_regex: boolean,
      replacement: text,
      prepend_scheme: text,
      split: boolean,
      single: t.readonlyArray(t.record(t.string, t.unknown)),
      special_tokens: t.record(t.string, t.type({ ids: t.readonlyArray(tokenId) })),
      cls: t.tuple([text, tokenId]),
      sep: t.tuple([text, tokenId]),
    }),
  ]),
)

const model = t.type({
  // Files of before 2021 have no type: their models are BPE.
  type: withDefault(text, 'BPE'),
  vocab: t.unknown,
  merges: t.unknown,
  unk_token: nullable(text),
  continuing_subword_prefix: nullable(text),
  end_of_word_suffix: nullable(text),
  byte_fallback: withDefault(boolean, false),
  ignore_merges: withDefault(boolean, false),
})

const tokenizerJson = t.type({
  added_tokens: withDefault(t.readonlyArray(addedToken), []),
  normalizer: nullable(stage),
  pre_tokenizer: nullable(stage),
  post_processor: nullable(stage),
  decoder: nullable(stage),
  model,
})

export type TokenizerJson = t.TypeOf<typeof tokenizerJson>

/** Decodes `tokenizer.json`. */
export const parseTokenizerJson = (source: Uint8Array, where: string): TokenizerJson =>
  decodeOrThrow(tokenizerJson, orThrow(parseJson(source, where)), where)

/** The model's vocabulary: an object from token to id. Other shapes (Unigram) belong to models that are not supported. */
export const modelVocabulary = ({ model }: TokenizerJson, where: string): ReadonlyMap<string, number> =>
  decodeOrThrow(vocabulary, model.vocab, `${where}: model.vocab`)

/** The model's merges as pairs of tokens. */
export const modelMerges = ({ model }: TokenizerJson, where: string) =>
  decodeOrThrow(t.readonlyArray(tokenPair), model.merges, `${where}: model.merges`)
