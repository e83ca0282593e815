import { readFileSync } from 'node:fs'
import { Tokenizer as HuggingFace } from '@huggingface/tokenizers'
import fc from 'fast-check'
import test from 'tape'
import { loadTokenizer } from '../../../operators/token/loadTokenizer.ts'
import type { Tokenizer } from '../../../operators/token/tokenizer.ts'
import { tokenizerJson } from '../../../operators/token/tokenizerJson.ts'
import { parseLlama2cTokenizer } from '../../../src/format/llama2cTokenizer.ts'
import { anyText } from '../../arbitraries/text.ts'
import { sameIds, streamed, T1, T2, T3, T4, T9 } from '../../laws/token.ts'
import { breaks, holds } from '../../property.ts'
import { sharedPath } from '../../shared.ts'

const path = sharedPath('data/stories260K/tok512.bin')
const golden = sharedPath('data/stories260K/expected_greedy_t0.txt')

/** llama2.c `encode(text, 0, 0)`, line for line. */
const llama2c = (bytes: Uint8Array) => {
  const vocabulary = parseLlama2cTokenizer(bytes, 'tok512.bin')
  const ids = new Map(vocabulary.map(({ piece }, id) => [piece, id]))
  return (text: string): number[] => {
    if (text === '') return []
    const tokens: number[] = [ids.get(' ') ?? -1]
    for (const character of new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text))) {
      const id = ids.get(character)
      if (id !== undefined) tokens.push(id)
      else for (const byte of new TextEncoder().encode(character)) tokens.push(byte + 3)
    }
    for (;;) {
      let [bestScore, bestId, bestIndex] = [-1e10, -1, -1]
      for (let i = 0; i + 1 < tokens.length; i++) {
        const id = ids.get(vocabulary[tokens[i]].piece + vocabulary[tokens[i + 1]].piece)
        if (id !== undefined && vocabulary[id].score > bestScore)
          [bestScore, bestId, bestIndex] = [vocabulary[id].score, id, i]
      }
      if (bestIndex < 0) return tokens
      tokens.splice(bestIndex, 2, bestId)
    }
  }
}

const stories = (bytes: Uint8Array): Tokenizer => loadTokenizer([{ name: 'tok512.bin', bytes }])
const storyText = fc.string({ unit: fc.constantFrom(...'  \n.,"\'Onceuponatimethere wasLily\u2581é😀'), maxLength: 60 })

test('stories260K: the ids of llama2.c, and the expected text back', t => {
  if (path === null || golden === null) {
    t.comment('skipped: data/stories260K is absent (set FLUXION_SHARED)')
    return t.end()
  }
  const bytes = new Uint8Array(readFileSync(path))
  const tokenizer = stories(bytes)
  const peer = llama2c(bytes)
  const text = readFileSync(golden, 'utf8')
  const ids = tokenizer.encode(text)
  t.ok(sameIds(ids, peer(text)), `${ids.length} ids`)
  t.equal(tokenizer.decode(ids), text)
  t.equal(tokenizer.decode([1, ...ids], { skipSpecial: true }), text, 'after <s> too the first space goes')
  t.deepEqual([...tokenizer.encode('', { addSpecial: true })], [1], 'an empty prompt is <s>')
  const both = fc.oneof(anyText, storyText)
  holds(
    t,
    'any text',
    fc.property(both, s => sameIds(tokenizer.encode(s), peer(s))),
    { numRuns: 2000 },
  )
  breaks(
    t,
    'without the space before',
    fc.property(storyText, s => sameIds(tokenizer.encode(s), peer(s).slice(1))),
  )

  holds(
    t,
    `T1 ${T1.name}`,
    fc.property(both, s => T1.holds(tokenizer, s)),
    { numRuns: 2000 },
  )
  holds(
    t,
    `T3 ${T3.name}`,
    fc.property(both, s => T3.holds(tokenizer, tokenizer.encode(s))),
  )
  const anyIds = fc.array(fc.nat(tokenizer.vocabularySize - 1))
  holds(
    t,
    `T2 ${T2.name}`,
    fc.property(anyIds, anyIds, (xs, ys) => T2.holds(x => tokenizer.decodeBytes(x), xs, ys)),
  )
  for (const skipSpecial of [false, true]) {
    holds(
      t,
      `T4 ${T4.name}`,
      fc.property(anyIds, xs => T4.holds(streamed(tokenizer, xs, skipSpecial), tokenizer.decode(xs, { skipSpecial }))),
    )
  }
  const special = fc.tuple(both, both).map(([a, b]) => `${a}<s>${b}</s>`)
  holds(
    t,
    `T9 ${T9.name}`,
    fc.property(special, s => T9.holds(tokenizer.encode, tokenizer.specialTokens, s)),
  )
  t.end()
})

test('stories260K through tokenizer.json: the same ids, here and in @huggingface/tokenizers', t => {
  if (path === null) {
    t.comment('skipped: data/stories260K is absent (set FLUXION_SHARED)')
    return t.end()
  }
  const tokenizer = stories(new Uint8Array(readFileSync(path)))
  const json = tokenizerJson(tokenizer)
  const back = loadTokenizer([{ name: 'tokenizer.json', bytes: new TextEncoder().encode(json) }])
  const peer = new HuggingFace(JSON.parse(json), {})
  t.equal(tokenizerJson(back), json, 'written again it is the same file')
  t.equal(back.endId, 2)
  // To SentencePiece U+2581 is a space, to llama2.c it is a character.
  const text = fc.oneof(anyText, storyText).map(s => s.replaceAll(/\u2581|<\|endoftext\|>/gu, ''))
  holds(
    t,
    'here',
    fc.property(text, s => sameIds(back.encode(s), tokenizer.encode(s))),
    { numRuns: 2000 },
  )
  holds(
    t,
    'there',
    fc.property(text, s => sameIds(peer.encode(s).ids, back.encode(s, { addSpecial: true }))),
    { numRuns: 2000 },
  )
  t.equal(
    peer.decode([...back.encode('Once upon a time')], { skip_special_tokens: true }),
    'Once upon a time',
    'decoded there',
  )
  t.end()
})
