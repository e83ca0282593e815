import { readFileSync } from 'node:fs'
import { Tokenizer as HuggingFace } from '@huggingface/tokenizers'
import fc from 'fast-check'
import test from 'tape'
import { get_encoding } from 'tiktoken'
import { patterns, pieces, splitByRegExp, toRegExp } from '../../../operators/token/pattern.ts'
import { tokenizerJson } from '../../../operators/token/tokenizerJson.ts'
import { openTokenizer } from '../../../pipelines/tokenizerFiles.ts'
import { InputError } from '../../../src/errors.ts'
import { anyText, hardText } from '../../arbitraries/text.ts'
import { sameIds } from '../../laws/token.ts'
import { breaks, holds } from '../../property.ts'
import { sharedPath } from '../../shared.ts'

const encodings = [
  ['gpt2', 'data/tokenizers/gpt2'],
  ['cl100k_base', 'data/tokenizers/tiktoken/cl100k_base.tiktoken'],
  ['o200k_base', 'data/tokenizers/tiktoken/o200k_base.tiktoken'],
] as const

for (const [name, place] of encodings) {
  test(`${name}: the ids of tiktoken on tinyshakespeare and on 10,000 random texts`, async t => {
    const [path, corpus] = [sharedPath(place), sharedPath('data/corpora/tinyshakespeare.txt')]
    if (path === null || corpus === null) return t.comment(`skipped: ${place} is absent (set FLUXION_SHARED)`)
    const tokenizer = await openTokenizer(path)
    const peer = get_encoding(name)
    const text = readFileSync(corpus, 'utf8')
    const ids = tokenizer.encode(text)
    t.ok(sameIds(ids, peer.encode_ordinary(text)), `${ids.length} ids of tinyshakespeare`)
    t.equal(tokenizer.decode(ids), text)
    const equal = (s: string) => sameIds(tokenizer.encode(s), peer.encode_ordinary(s))
    holds(t, 'random texts', fc.property(anyText, equal), { numRuns: 10_000 })
    breaks(
      t,
      'one more id',
      fc.property(anyText, s => sameIds([...tokenizer.encode(s), 0], peer.encode_ordinary(s))),
    )
    const special = 'a<|endoftext|>b'
    t.ok(
      sameIds(tokenizer.encode(special, { allowedSpecial: 'all' }), peer.encode(special, 'all')),
      'special tokens allowed',
    )
    t.ok(equal(special), 'and not')
    t.equal(tokenizer.endId, peer.encode('<|endoftext|>', 'all')[0])
    peer.free()
  })
}

test('gpt2, roberta: the ids of @huggingface/tokenizers', async t => {
  const corpus = sharedPath('data/corpora/tinyshakespeare.txt')
  for (const place of ['data/tokenizers/gpt2', 'data/tokenizers/roberta']) {
    const path = sharedPath(place)
    if (path === null || corpus === null) return t.comment(`skipped: ${place} is absent (set FLUXION_SHARED)`)
    const tokenizer = await openTokenizer(path)
    const peer = new HuggingFace(JSON.parse(tokenizerJson(tokenizer)), {})
    const ids = (s: string) => peer.encode(s, { add_special_tokens: false }).ids
    const text = readFileSync(corpus, 'utf8')
    t.ok(sameIds(tokenizer.encode(text), ids(text)), `${place}: tinyshakespeare, through the tokenizer.json we write`)
    const plain = hardText.map(s => s.replaceAll(/[\ufeff\u0085]|<\|endoftext\|>/gu, ''))
    // JavaScript's \s, which the peer uses, has other white space than Rust's; the peer always takes special tokens.
    holds(
      t,
      `${place}: random texts`,
      fc.property(plain, s => sameIds(tokenizer.encode(s), ids(s))),
      { numRuns: 3000 },
    )
    t.ok(
      sameIds(tokenizer.encode('To be', { addSpecial: true }), peer.encode('To be').ids),
      'with what goes around a text',
    )
  }
})

test('T5 the splitters are the patterns', t => {
  for (const [name, { source, split }] of Object.entries(patterns)) {
    const byPattern = splitByRegExp(toRegExp(source))
    const same = (s: string) => [...pieces(split, s)].join('|') === [...pieces(byPattern, s)].join('|')
    holds(t, name, fc.property(anyText, same), { numRuns: 5000 })
  }
  const ascii = splitByRegExp(/\s+|\S+/gu)
  breaks(
    t,
    'JavaScript white space',
    fc.property(hardText, s => [...pieces(ascii, s)].length === [...pieces(patterns.gpt2.split, s)].length),
  )
  t.deepEqual(
    [...pieces(patterns.gpt2.split, "I'll  go\n\nHE'LL")],
    ['I', "'ll", ' ', ' go', '\n', '\n', 'HE', "'", 'LL'],
  )
  t.deepEqual([...pieces(patterns.cl100k.split, "HE'LL\n\n x 12345")], ['HE', "'LL", '\n\n', ' x', ' ', '123', '45'])
  t.deepEqual([...pieces(patterns.o200k.split, "helloWorld's ABc")], ['hello', "World's", ' ABc'])
  for (const source of ['a++', '\\w+', '(?<=x', '[^\\s]{1,3}+', '(?>a)'])
    t.throws(() => toRegExp(source), InputError, source)
  t.doesNotThrow(() => toRegExp('[*+]+|\\++'))
  t.end()
})
