/**
 * Tokenizers of Hugging Face's `tokenizer.json`: byte-level BPE (GPT-2, RoBERTa, Llama 3, Qwen), SentencePiece-style BPE with byte fallback
 * (Llama 1 and 2, TinyLlama), characters (BPE without merges) and words (WordLevel). What is not supported is an InputError that names
 * the field. Source: huggingface/tokenizers.
 */
import { InputError } from '../../src/errors.ts'
import { pieceOfByte } from '../../src/format/llama2cTokenizer.ts'
import {
  modelMerges,
  modelVocabulary,
  parseTokenizerJson,
  type Step,
  type TokenizerJson,
} from '../../src/format/tokenizerJson.ts'
import { byId } from '../../src/format/vocabulary.ts'
import { byteLevelBpe } from './byteLevelBpe.ts'
import { characterTokenizer } from './character.ts'
import type { AddedToken, Around } from './model.ts'
import { byteTokens, mergeIds } from './openGpt2.ts'
import { type Pattern, patternOf, patterns } from './pattern.ts'
import { sentencePieceBpe } from './sentencepieceBpe.ts'
import type { Tokenizer } from './tokenizer.ts'
import { wordTokenizer } from './word.ts'

const BLOCK = '\u2581'

/** Tokens that are known to end a text, for files that do not say which does. */
const ends = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<end>', '<|im_end|>']

const unsupported = (where: string, field: string, expected: string, found: string): InputError =>
  new InputError(`${where}: ${field}: expected ${expected}, found ${found}`)

const types = (steps: readonly Step[]) => (steps.length === 0 ? 'nothing' : steps.map(step => step.type).join(', '))

const expectOnly = (steps: readonly Step[], allowed: readonly string[], where: string, field: string): void => {
  if (steps.every(step => allowed.includes(step.type))) return
  throw unsupported(where, field, allowed.length === 0 ? 'nothing' : allowed.join(', '), types(steps))
}

const addedTokens = (file: TokenizerJson, where: string): AddedToken[] => {
  const seen = new Set<number | string>()
  return file.added_tokens.map((token, index) => {
    const field = `added_tokens.${index}`
    if (token.single_word) throw unsupported(where, `${field}.single_word`, 'false', 'true')
    if (token.content === '') throw unsupported(where, `${field}.content`, 'a non-empty string', '""')
    if (seen.has(token.id) || seen.has(token.content)) {
      throw unsupported(
        where,
        field,
        'an id and a content of its own',
        `${token.id} and ${JSON.stringify(token.content)} again`,
      )
    }
    seen.add(token.id).add(token.content)
    const { id, content, special, lstrip, rstrip } = token
    return { id, content, special, leftStrip: lstrip, rightStrip: rstrip }
  })
}

/** What the post-processor puts before and after a single text. */
const template = (steps: readonly Step[], where: string): { prefix: readonly number[]; suffix: readonly number[] } => {
  expectOnly(steps, ['ByteLevel', 'TemplateProcessing', 'RobertaProcessing', 'BertProcessing'], where, 'post_processor')
  const prefix: number[] = []
  const suffix: number[] = []
  for (const { cls, sep, single = [], special_tokens = {} } of steps) {
    if (cls !== undefined) prefix.push(cls[1])
    if (sep !== undefined) suffix.push(sep[1])
    let side = prefix
    for (const part of single) {
      const special: unknown = part.SpecialToken
      if (part.Sequence !== undefined) side = suffix
      else if (typeof special === 'object' && special !== null && 'id' in special && typeof special.id === 'string') {
        const known = Object.hasOwn(special_tokens, special.id) ? special_tokens[special.id] : undefined
        if (known === undefined) {
          throw unsupported(where, 'post_processor.special_tokens', `the token ${JSON.stringify(special.id)}`, 'none')
        }
        side.push(...known.ids)
      } else
        throw unsupported(where, 'post_processor.single', 'SpecialToken or Sequence', JSON.stringify(part).slice(0, 60))
    }
  }
  return { prefix, suffix }
}

/** The pattern of a byte-level pre-tokenizer: ByteLevel with GPT-2's own, or Split and then ByteLevel. */
const bytePattern = (steps: readonly Step[], where: string): Pattern => {
  const field = 'pre_tokenizer'
  expectOnly(steps, ['Split', 'ByteLevel'], where, field)
  const [split, byteLevel] = steps.length === 2 ? steps : [undefined, steps[0]]
  if (byteLevel?.type !== 'ByteLevel' || (split !== undefined && split.type !== 'Split')) {
    throw unsupported(where, field, 'ByteLevel, or Split and then ByteLevel', types(steps))
  }
  if (byteLevel.add_prefix_space === true) throw unsupported(where, `${field}.add_prefix_space`, 'false', 'true')
  const ownPattern = byteLevel.use_regex ?? true
  if (split === undefined) {
    if (!ownPattern) throw unsupported(where, `${field}.use_regex`, 'true where there is no Split', 'false')
    return patterns.gpt2
  }
  const source = split.pattern?.Regex
  if (ownPattern) throw unsupported(where, `${field}.use_regex`, 'false after Split', 'true')
  if (source === undefined || split.behavior !== 'Isolated' || split.invert === true) {
    throw unsupported(where, field, 'a Split by a Regex, Isolated, not inverted', `${split.behavior}`)
  }
  return patternOf(source, `${where}: ${field}`)
}

const openByteLevel = (file: TokenizerJson, around: Around, where: string): Tokenizer => {
  expectOnly(file.normalizer, [], where, 'normalizer')
  expectOnly(file.decoder, ['ByteLevel'], where, 'decoder')
  const vocabulary = modelVocabulary(file, where)
  return byteLevelBpe(
    {
      ...around,
      kind: 'byteLevelBpe',
      tokens: byteTokens(vocabulary, where),
      merges: mergeIds(modelMerges(file, where), vocabulary, where),
      wholeFirst: file.model.ignore_merges,
      pattern: bytePattern(file.pre_tokenizer, where),
    },
    where,
  )
}

/** Where a space is put before a text: by the normalizer (Llama's first form) or by the pre-tokenizer Metaspace. */
const prefixSpace = (file: TokenizerJson, where: string): 'each' | 'first' | 'never' => {
  const { normalizer, pre_tokenizer } = file
  expectOnly(normalizer, ['Prepend', 'Replace'], where, 'normalizer')
  expectOnly(pre_tokenizer, ['Metaspace'], where, 'pre_tokenizer')
  for (const { type, prepend, pattern, content } of normalizer) {
    if (type === 'Prepend' && prepend !== BLOCK) throw unsupported(where, 'normalizer.prepend', BLOCK, `${prepend}`)
    if (type === 'Replace' && (pattern?.String !== ' ' || content !== BLOCK)) {
      throw unsupported(where, 'normalizer', `" " replaced by "${BLOCK}"`, `${pattern?.String} by ${content}`)
    }
  }
  const [metaspace, second] = pre_tokenizer
  if (metaspace === undefined) return normalizer.some(step => step.type === 'Prepend') ? 'each' : 'never'
  if (second !== undefined || normalizer.length > 0 || metaspace.replacement !== BLOCK || metaspace.split !== false) {
    throw unsupported(where, 'pre_tokenizer', `one Metaspace of "${BLOCK}" that does not split`, types(pre_tokenizer))
  }
  const scheme = metaspace.prepend_scheme ?? 'always'
  if (scheme === 'first' || scheme === 'never') return scheme
  if (scheme === 'always') return 'each'
  throw unsupported(where, 'pre_tokenizer.prepend_scheme', 'always, first or never', scheme)
}

const openSentencePiece = (file: TokenizerJson, around: Around, where: string): Tokenizer => {
  expectOnly(file.decoder, ['Replace', 'ByteFallback', 'Fuse', 'Strip', 'Metaspace'], where, 'decoder')
  const vocabulary = modelVocabulary(file, where)
  const byteIds = Int32Array.from({ length: 256 }, (_, byte) => vocabulary.get(pieceOfByte(byte)) ?? -1)
  const bytes = new Set(byteIds)
  return sentencePieceBpe(
    {
      ...around,
      kind: 'sentencePieceBpe',
      pieces: byId(vocabulary, where).map((piece, id) => (bytes.has(id) ? undefined : piece?.replaceAll(BLOCK, ' '))),
      byteIds,
      merges: mergeIds(modelMerges(file, where), vocabulary, where),
      scores: null,
      prefixSpace: prefixSpace(file, where),
      blockIsSpace: true,
      unknownId: vocabulary.get(file.model.unk_token ?? '') ?? null,
    },
    where,
  )
}

/** Every token of the vocabulary that is not an added one. */
const ordinaryTokens = (file: TokenizerJson, around: Around, where: string): ReadonlyMap<string, number> => {
  const vocabulary = modelVocabulary(file, where)
  byId(vocabulary, where)
  const added = new Set(around.added.map(token => token.id))
  return new Map([...vocabulary].filter(([, id]) => !added.has(id)))
}

const openCharacters = (file: TokenizerJson, around: Around, where: string): Tokenizer => {
  expectOnly(file.normalizer, [], where, 'normalizer')
  expectOnly(file.decoder, ['Fuse'], where, 'decoder')
  const tokens = ordinaryTokens(file, around, where)
  const unknownId = modelVocabulary(file, where).get(file.model.unk_token ?? '') ?? null
  return characterTokenizer({ ...around, kind: 'character', tokens, unknownId })
}

const openWords = (file: TokenizerJson, around: Around, where: string): Tokenizer => {
  expectOnly(file.normalizer, [], where, 'normalizer')
  expectOnly(file.decoder, [], where, 'decoder')
  if (file.pre_tokenizer.length !== 1)
    throw unsupported(where, 'pre_tokenizer', 'Whitespace', types(file.pre_tokenizer))
  expectOnly(file.pre_tokenizer, ['Whitespace'], where, 'pre_tokenizer')
  const unknownId = modelVocabulary(file, where).get(file.model.unk_token ?? '')
  if (unknownId === undefined) throw unsupported(where, 'model.unk_token', 'a token', `${file.model.unk_token}`)
  return wordTokenizer({ ...around, kind: 'word', tokens: ordinaryTokens(file, around, where), unknownId })
}

/** `endToken` is the end token's spelling where another file says it (`tokenizer_config.json`). */
export const openTokenizerJson = (source: Uint8Array, where: string, endToken: string | null = null): Tokenizer => {
  const file = parseTokenizerJson(source, where)
  const { type, continuing_subword_prefix, end_of_word_suffix, byte_fallback } = file.model
  const added = addedTokens(file, where)
  const end = endToken ?? ends.find(name => added.some(token => token.content === name)) ?? null
  const around: Around = {
    added,
    ...template(file.post_processor, where),
    endId: added.find(token => token.content === end)?.id ?? null,
  }
  if (type === 'WordLevel') return openWords(file, around, where)
  if (type !== 'BPE') throw unsupported(where, 'model.type', 'BPE or WordLevel', JSON.stringify(type))
  if ((continuing_subword_prefix ?? '') !== '' || (end_of_word_suffix ?? '') !== '') {
    throw unsupported(where, 'model', 'no continuing_subword_prefix and no end_of_word_suffix', 'one')
  }
  if (byte_fallback) return openSentencePiece(file, around, where)
  if (file.pre_tokenizer.length > 0) return openByteLevel(file, around, where)
  if (modelMerges(file, where).length === 0) return openCharacters(file, around, where)
  throw unsupported(where, 'pre_tokenizer', 'ByteLevel, or model.byte_fallback', 'nothing')
}
