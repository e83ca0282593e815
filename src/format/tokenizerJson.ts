/**
 * The outer form of Hugging Face's `tokenizer.json`: added tokens, five stages, a model. What each stage means is decided where
 * tokenizers are made. Source: huggingface/tokenizers, `tokenizer/serialization.rs`.
 */
import * as E from 'fp-ts/lib/Either.js'
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

const step = t.intersection(
  [
    t.type({ type: text }),
    t.partial({
      prepend: text,
      content: text,
      pattern: t.partial({ String: text, Regex: text }),
      behavior: text,
      invert: boolean,
      add_prefix_space: t.union([boolean, t.null], 'true or false'),
      use_regex: boolean,
      replacement: text,
      prepend_scheme: text,
      split: boolean,
      start: t.number,
      stop: t.number,
      single: t.readonlyArray(t.record(t.string, t.unknown)),
      special_tokens: t.record(t.string, t.type({ ids: t.readonlyArray(tokenId) })),
      cls: t.tuple([text, tokenId]),
      sep: t.tuple([text, tokenId]),
    }),
  ],
  'an object with a type',
)

/** One step of a stage, known by its type; the fields of all types that are read here. */
export type Step = t.TypeOf<typeof step>

const steps = t.readonlyArray(step)
const sequence = t.type({ type: t.literal('Sequence') })
const inner = t.partial({ normalizers: steps, pretokenizers: steps, processors: steps, decoders: steps })

/** A stage as the list of its steps: none, one, or those of a `Sequence`. */
const stage: t.Type<readonly Step[], unknown, unknown> = new t.Type<readonly Step[], unknown, unknown>(
  'a stage',
  steps.is,
  (input, context) => {
    if (input === null || input === undefined) return t.success([])
    if (!sequence.is(input)) return E.map((only: Step) => [only])(step.validate(input, context))
    return E.map(({ normalizers, pretokenizers, processors, decoders }: t.TypeOf<typeof inner>) => [
      ...(normalizers ?? []),
      ...(pretokenizers ?? []),
      ...(processors ?? []),
      ...(decoders ?? []),
    ])(inner.validate(input, context))
  },
  list => list,
)

const model = t.type(
  {
    // Files of before 2021 have no type: their models are BPE.
    type: withDefault(text, 'BPE'),
    vocab: t.unknown,
    merges: t.unknown,
    unk_token: nullable(text),
    continuing_subword_prefix: nullable(text),
    end_of_word_suffix: nullable(text),
    byte_fallback: withDefault(boolean, false),
    ignore_merges: withDefault(boolean, false),
  },
  "a tokenizer's model",
)

const tokenizerJson = t.type(
  {
    added_tokens: withDefault(t.readonlyArray(addedToken), []),
    normalizer: stage,
    pre_tokenizer: stage,
    post_processor: stage,
    decoder: stage,
    model,
  },
  'a tokenizer',
)

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
