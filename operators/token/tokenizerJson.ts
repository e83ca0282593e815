/**
 * Writes a tokenizer as Hugging Face's `tokenizer.json`, so that a model folder opens there: encoding is equal.
 * What tiktoken and llama2.c say by rank or score becomes a merge list: every split of a token into two tokens, in the order of the
 * tokens, then of the halves (as Hugging Face's own converters write it). Law: opening what was written encodes equally.
 */
import { InputError } from '../../src/errors.ts'
import { toByteLetters } from '../../src/format/byteAlphabet.ts'
import { pieceOfByte } from '../../src/format/llama2cTokenizer.ts'
import type { AddedToken, ByteLevelModel, MergeList, SentencePieceModel, TokenizerModel } from './model.ts'
import { patterns } from './pattern.ts'
import type { Tokenizer } from './tokenizer.ts'
import { TokenTable } from './tokenTable.ts'
import { utf8Bytes } from './utf8.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

const BLOCK = '\u2581'

const byteLevelStep = (useRegex: boolean): Json => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})

/** Every way to join two tokens to one, in the order in which the joined token comes. */
const allMerges = (tokens: readonly (Uint8Array | undefined)[], order: (id: number) => number): MergeList => {
  const table = new TokenTable(tokens)
  const found: [left: number, right: number, whole: number][] = []
  tokens.forEach((token, whole) => {
    if (token === undefined) return
    for (let cut = 1; cut < token.length; cut++) {
      const left = table.find(token, 0, cut)
      const right = left < 0 ? -1 : table.find(token, cut, token.length)
      if (right >= 0) found.push([left, right, whole])
    }
  })
  found.sort((a, b) => order(a[2]) - order(b[2]) || a[2] - b[2] || a[0] - b[0] || a[1] - b[1])
  return found.map(([left, right]) => [left, right])
}

interface Parts {
  readonly normalizer: Json
  readonly pre_tokenizer: Json
  readonly decoder: Json
  readonly model: { readonly [key: string]: Json }
}

/** The vocabulary, its added tokens under their own spelling. */
const vocabularyOf = (names: readonly (string | undefined)[], added: readonly AddedToken[]): Record<string, number> => {
  const all = [...names]
  for (const { id, content } of added) all[id] = content
  // A map, since a token may be spelled `__proto__`.
  const vocabulary = new Map<string, number>()
  all.forEach((name, id) => {
    if (name === undefined) return
    const other = vocabulary.get(name)
    if (other !== undefined) {
      throw new InputError(`tokens ${other} and ${id} would both be written as ${JSON.stringify(name)}`)
    }
    vocabulary.set(name, id)
  })
  return Object.fromEntries(vocabulary)
}

const bpe = { dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false } as const

const byteLevel = (model: ByteLevelModel): Parts => {
  const names = model.tokens.map(token => (token === undefined ? undefined : toByteLetters(token)))
  const name = (id: number) => names[id] ?? ''
  const merges = model.merges ?? allMerges(model.tokens, id => id)
  return {
    normalizer: null,
    pre_tokenizer:
      model.pattern.source === patterns.gpt2.source
        ? byteLevelStep(true)
        : {
            type: 'Sequence',
            pretokenizers: [
              { type: 'Split', pattern: { Regex: model.pattern.source }, behavior: 'Isolated', invert: false },
              byteLevelStep(false),
            ],
          },
    decoder: byteLevelStep(true),
    model: {
      ...bpe,
      type: 'BPE',
      unk_token: null,
      byte_fallback: false,
      ignore_merges: model.wholeFirst,
      vocab: vocabularyOf(names, model.added),
      merges: merges.map(([left, right]) => `${name(left)} ${name(right)}`),
    },
  }
}

const sentencePiece = (model: SentencePieceModel): Parts => {
  const { prefixSpace, scores, byteIds, added } = model
  const names = model.pieces.map(piece => piece?.replaceAll(' ', BLOCK))
  byteIds.forEach((id, byte) => {
    names[id] = pieceOfByte(byte)
  })
  const merges =
    model.merges ??
    allMerges(
      model.pieces.map(piece => (piece === undefined ? undefined : utf8Bytes(piece))),
      id => -(scores?.[id] ?? -id),
    )
  const strip: Json[] = prefixSpace === 'never' ? [] : [{ type: 'Strip', content: ' ', start: 1, stop: 0 }]
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: BLOCK } as const
  const metaspace = { type: 'Metaspace', replacement: BLOCK, prepend_scheme: 'first', split: false } as const
  const prepend: Json[] = prefixSpace === 'each' ? [{ type: 'Prepend', prepend: BLOCK }] : []
  const unknown = added.find(token => token.id === model.unknownId)
  return {
    normalizer: prefixSpace === 'first' ? null : { type: 'Sequence', normalizers: [...prepend, replace] },
    pre_tokenizer: prefixSpace === 'first' ? metaspace : null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: BLOCK }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...strip,
      ],
    },
    model: {
      ...bpe,
      type: 'BPE',
      unk_token: unknown?.content ?? null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabularyOf(names, added),
      merges: merges.map(([left, right]) => `${names[left] ?? ''} ${names[right] ?? ''}`),
    },
  }
}

const listed = (tokens: ReadonlyMap<string, number>): (string | undefined)[] => {
  const names: (string | undefined)[] = []
  for (const [token, id] of tokens) names[id] = token
  return Array.from(names)
}

const partsOf = (model: TokenizerModel): Parts => {
  switch (model.kind) {
    case 'byteLevelBpe':
      return byteLevel(model)
    case 'sentencePieceBpe':
      return sentencePiece(model)
    case 'character':
    case 'word': {
      const vocab = vocabularyOf(listed(model.tokens), model.added)
      const unk_token = model.added.find(token => token.id === model.unknownId)?.content ?? null
      if (model.kind === 'word') {
        const pre_tokenizer = { type: 'Whitespace' }
        return { normalizer: null, pre_tokenizer, decoder: null, model: { type: 'WordLevel', vocab, unk_token } }
      }
      const decoder = { type: 'Fuse' }
      const characters = {
        ...bpe,
        type: 'BPE',
        unk_token,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges: [],
      }
      return { normalizer: null, pre_tokenizer: null, decoder, model: characters }
    }
  }
}

/** Prefix and suffix as a template; null where there are none. */
const postProcessor = ({ added, prefix, suffix }: TokenizerModel): Json => {
  if (prefix.length + suffix.length === 0) return null
  const content = (id: number): string => {
    const token = added.find(one => one.id === id)
    if (token === undefined) throw new InputError(`token ${id} goes around a text but is no added token`)
    return token.content
  }
  const special = (id: number): Json => ({ SpecialToken: { id: content(id), type_id: 0 } })
  const text = (id: string, type_id: number): Json => ({ Sequence: { id, type_id } })
  const single = [...prefix.map(special), text('A', 0), ...suffix.map(special)]
  const around = [...new Set([...prefix, ...suffix])].map((id): readonly [string, Json] => [
    content(id),
    { id: content(id), ids: [id], tokens: [content(id)] },
  ])
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, ...prefix.map(special), text('B', 1), ...suffix.map(special)],
    special_tokens: Object.fromEntries(around),
  }
}

/** The text of `tokenizer.json`. */
export const tokenizerJson = ({ model }: Tokenizer): string => {
  const file: Json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: model.added
      .toSorted((a, b) => a.id - b.id)
      .map(({ id, content, special, leftStrip, rightStrip }) => ({
        id,
        content,
        single_word: false,
        lstrip: leftStrip,
        rstrip: rightStrip,
        normalized: false,
        special,
      })),
    ...partsOf(model),
    post_processor: postProcessor(model),
  }
  return `${JSON.stringify(file, null, 1)}\n`
}

/** The text of `tokenizer_config.json`, for loaders that ask for it. */
export const tokenizerConfigJson = ({ model }: Tokenizer): string => {
  const end = model.added.find(token => token.id === model.endId)?.content
  const begin = model.added.find(token => token.id === model.prefix[0])?.content
  const file: Json = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...(begin === undefined ? {} : { bos_token: begin }),
    ...(end === undefined ? {} : { eos_token: end }),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}
