import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import test from 'tape'
import { trainCharacterTokenizer } from '../../../operators/token/character.ts'
import { loadTokenizer } from '../../../operators/token/loadTokenizer.ts'
import type { Tokenizer } from '../../../operators/token/tokenizer.ts'
import { tokenizerJson } from '../../../operators/token/tokenizerJson.ts'
import { trainByteLevelBpe } from '../../../operators/token/trainByteLevelBpe.ts'
import { trainWordTokenizer } from '../../../operators/token/word.ts'
import { openTokenizer, saveTokenizer } from '../../../pipelines/tokenizerFiles.ts'
import { InputError } from '../../../src/errors.ts'
import { fromByteLetters, toByteLetters } from '../../../src/format/byteAlphabet.ts'
import { anyText } from '../../arbitraries/text.ts'
import { sameIds } from '../../laws/token.ts'
import { breaks, holds } from '../../property.ts'
import { sharedPath } from '../../shared.ts'

const corpus = 'To be, or not to be: that is the question. __proto__ constructor 1 2 10 😀 naïve'
const bytes = (text: string) => new TextEncoder().encode(text)
const load = (json: string) => loadTokenizer([{ name: 'tokenizer.json', bytes: bytes(json) }])

const made: readonly (readonly [string, Tokenizer])[] = [
  ['characters', trainCharacterTokenizer([corpus], { unknown: '<unk>', end: '<end>' })],
  ['words', trainWordTokenizer([corpus])],
  ['byte-level BPE, gpt2', trainByteLevelBpe([corpus], { vocabularySize: 280, specialTokens: ['<|endoftext|>'] })],
  ['byte-level BPE, cl100k', trainByteLevelBpe([corpus], { vocabularySize: 280, pattern: 'cl100k' })],
  ['byte-level BPE, o200k', trainByteLevelBpe([corpus], { vocabularySize: 280, pattern: 'o200k' })],
]

test('tokenizer.json: what was written opens and encodes equally', async t => {
  for (const [name, tokenizer] of made) {
    const json = tokenizerJson(tokenizer)
    const back = load(json)
    t.equal(tokenizerJson(back), json, `${name}: written again it is the same file`)
    t.equal(back.vocabularySize, tokenizer.vocabularySize)
    t.equal(back.endId, tokenizer.endId)
    holds(
      t,
      name,
      fc.property(anyText, s => sameIds(back.encode(s), tokenizer.encode(s))),
    )
  }
  const [[, characters], , [, gpt2]] = made
  breaks(
    t,
    'another tokenizer',
    fc.property(anyText, s => sameIds(characters.encode(s), gpt2.encode(s))),
  )
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-tokenizer-'))
  await saveTokenizer(gpt2, folder)
  t.ok(sameIds((await openTokenizer(folder)).encode(corpus), gpt2.encode(corpus)), 'saved to a folder and opened')
  rmSync(folder, { recursive: true })
})

test('byte letters are those of GPT-2', t => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i)
  t.deepEqual(fromByteLetters(toByteLetters(all)), all)
  t.equal(toByteLetters(bytes(' \n\u00ad')), 'ĠĊÂŃ')
  t.equal(fromByteLetters('a b'), null)
  t.end()
})

/** A written tokenizer with one field changed. */
const changed = (change: (file: Record<string, unknown>, model: Record<string, unknown>) => void): string => {
  const file: Record<string, unknown> & { model: Record<string, unknown> } = JSON.parse(tokenizerJson(made[2][1]))
  change(file, file.model)
  return JSON.stringify(file)
}

test('errors name the file, the field, what was expected and what was found', async t => {
  const cases: readonly (readonly [RegExp, string])[] = [
    [/tokenizer\.json: expected JSON/, '{'],
    [/tokenizer\.json: .*expected .* found/, '[]'],
    [
      /model\.type: expected BPE or WordLevel, found "Unigram"/,
      changed((_, model) => Object.assign(model, { type: 'Unigram' })),
    ],
    [/model\.vocab: expected an object from token to id, found nothing/, changed((_, model) => delete model.vocab)],
    [/model\.vocab: a: expected a token id/, changed((_, model) => Object.assign(model, { vocab: { a: -1 } }))],
    [
      /expected one token for each id, found "a" and "b" for 0/,
      changed((_, model) => Object.assign(model, { vocab: { a: 0, b: 0 }, merges: [] })),
    ],
    [
      /each of the 256 bytes, found none for byte 0/,
      changed((_, model) => Object.assign(model, { vocab: { a: 0 }, merges: [] })),
    ],
    [
      /merge 0: expected a token of the vocabulary, found "zz"/,
      changed((_, model) => Object.assign(model, { merges: ['zz a'] })),
    ],
    [
      /merge 0: expected a pair that together is a token/,
      changed((_, model) => Object.assign(model, { merges: ['a Z'] })),
    ],
    [
      /model\.merges: 0: expected two tokens, found "a"/,
      changed((_, model) => Object.assign(model, { merges: ['a'] })),
    ],
    [
      /normalizer: expected nothing, found Lowercase/,
      changed(file => Object.assign(file, { normalizer: { type: 'Lowercase' } })),
    ],
    [
      /pre_tokenizer: expected Split, ByteLevel, found Digits/,
      changed(file => Object.assign(file, { pre_tokenizer: { type: 'Digits' } })),
    ],
    [
      /added_tokens\.0\.single_word: expected false/,
      changed(file => Object.assign(file, { added_tokens: [{ id: 1, content: 'x', single_word: true }] })),
    ],
  ]
  for (const [message, json] of cases) t.throws(() => load(json), message, String(message))
  const rejects = async (path: string, message: RegExp) => {
    const reason = await openTokenizer(path).then(
      () => null,
      (error: unknown) => error,
    )
    t.ok(reason instanceof InputError && message.test(reason.message), String(message))
  }
  await rejects('/nowhere', /\/nowhere: expected a tokenizer's file or folder, found nothing/)
  await rejects('test', /test: expected tokenizer\.json/)
  t.throws(() => loadTokenizer([]), /expected tokenizer files .* found none/)
  t.throws(
    () => loadTokenizer([{ name: 'x.tiktoken', bytes: bytes('IQ== 0\nIQ== zero') }]),
    /line 2: expected base64, a space/,
  )
  t.throws(
    () => loadTokenizer([{ name: 'x.tiktoken', bytes: bytes('IQ== 0\nIg== 0') }]),
    /line 2: expected a rank that was not given/,
  )
  t.throws(() => loadTokenizer([{ name: 'x.tiktoken', bytes: bytes('IQ== 0') }]), /expected a file of r50k_base/)
  t.throws(() => loadTokenizer([{ name: 't.bin', bytes: new Uint8Array(9) }]), /byte 4: expected a score and a length/)
  for (const place of ['bert', 't5', 'nmt_marian_like']) {
    const path = sharedPath(`data/tokenizers/${place}`)
    if (path !== null) await rejects(path, /tokenizer\.json: .*expected .*found/)
  }
})

test('whatever the bytes, a tokenizer or an InputError', t => {
  const opens = (name: string, content: Uint8Array) => {
    try {
      const tokenizer = loadTokenizer(
        name === 'vocab.json'
          ? [
              { name, bytes: content },
              { name: 'merges.txt', bytes: bytes('a b\n') },
            ]
          : [{ name, bytes: content }],
      )
      try {
        tokenizer.decode(tokenizer.encode('To be, or not 中文 '))
      } catch (error) {
        return error instanceof InputError
      }
      return true
    } catch (error) {
      return error instanceof InputError
    }
  }
  const binary = sharedPath('data/stories260K/tok512.bin')
  const starts: readonly (readonly [string, Uint8Array])[] = [
    ...made.map(([, tokenizer]) => ['tokenizer.json', bytes(tokenizerJson(tokenizer))] as const),
    ['vocab.json', bytes('{"a":0,"b":1,"ab":2}')],
    ['cl100k_base.tiktoken', bytes('IQ== 0\nIg== 1\nIw== 2\n')],
    ...(binary === null ? [] : [['tok512.bin', new Uint8Array(readFileSync(binary))] as const]),
  ]
  for (const [name, start] of starts) {
    const edit = fc.record({ at: fc.nat(start.length), cut: fc.nat(8), add: fc.uint8Array({ maxLength: 4 }) })
    const edited = fc.array(edit, { maxLength: 3 }).map(edits =>
      edits.reduce((content, { at, cut, add }) => {
        const where = Math.min(at, content.length)
        return Uint8Array.of(...content.subarray(0, where), ...add, ...content.subarray(where + cut))
      }, start),
    )
    holds(
      t,
      `${name}, edited`,
      fc.property(edited, content => opens(name, content)),
      { numRuns: 300 },
    )
  }
  const json = fc
    .jsonValue({ maxDepth: 4 })
    .map(value => bytes(JSON.stringify({ model: value, added_tokens: [], pre_tokenizer: value })))
  for (const name of ['tokenizer.json', 'vocab.json', 'x.tiktoken', 'x.bin']) {
    holds(
      t,
      `${name}, any bytes`,
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), json), content => opens(name, content)),
      { numRuns: 300 },
    )
  }
  t.end()
})
