import fc from 'fast-check'
import test from 'tape'
import { trainCharacterTokenizer } from '../../../operators/token/character.ts'
import { trainWordTokenizer } from '../../../operators/token/word.ts'
import { InputError } from '../../../src/errors.ts'
import { anyText } from '../../arbitraries/text.ts'
import { streamed, T1, T3, T4, T9, wellFormed } from '../../laws/token.ts'
import { breaks, holds } from '../../property.ts'

test(`characters: T1 ${T1.name}`, t => {
  holds(
    t,
    'texts of the characters that it was made from, in any chunks',
    fc.property(fc.array(anyText, { minLength: 1 }), chunks => {
      const text = chunks.join('')
      return text === '' || T1.holds(trainCharacterTokenizer(chunks), text)
    }),
  )
  const unknowing = trainCharacterTokenizer(['abc'], { unknown: '<unk>' })
  breaks(
    t,
    'texts of others',
    fc.property(anyText, s => T1.holds(unknowing, s)),
  )
  t.end()
})

test('characters: ids are in the order of code points, then come the special tokens', t => {
  const tokenizer = trainCharacterTokenizer(['hello\n', '😀a'], { unknown: '<unk>', end: '<end>' })
  t.deepEqual([...tokenizer.encode('a\no😀')], [1, 0, 5, 6])
  t.deepEqual([...tokenizer.encode('ab')], [1, 7], 'an unknown character')
  t.equal(tokenizer.endId, 8)
  t.equal(tokenizer.vocabularySize, 9)
  t.deepEqual([...tokenizer.encode('a<end>', { allowedSpecial: 'all' })], [1, 8], 'T9 allowed')
  t.throws(() => trainCharacterTokenizer(['ab']).encode('abc'), /no character "c"/, 'an error without a token for it')
  t.throws(() => trainCharacterTokenizer([]), InputError)
  holds(
    t,
    `T9 ${T9.name}`,
    fc.property(anyText, s => {
      const { encode, specialTokens } = trainCharacterTokenizer([`<end>${s}x`], { end: '<end>' })
      return T9.holds(encode, specialTokens, `<end>${s}`)
    }),
  )
  breaks(
    t,
    'T9 allowed',
    fc.property(anyText, s => {
      const { encode, specialTokens } = trainCharacterTokenizer([`<end>${s}x`], { end: '<end>' })
      return T9.holds(x => encode(x, { allowedSpecial: 'all' }), specialTokens, `<end>${s}`)
    }),
  )
  t.end()
})

test('words: the example of the notes, <unk> and <end>', t => {
  const tokenizer = trainWordTokenizer(['Generating AI is fascinating', 'AI is here: is it?'])
  const ids = tokenizer.encode('Generating AI is fascinating')
  t.equal(ids.length, 4, '"Generating AI is fascinating" is 4 tokens')
  t.equal(tokenizer.decode(ids), 'Generating AI is fascinating')
  t.deepEqual(
    [...tokenizer.encode('is AI dull <end>')].slice(0, 3),
    [2, 3, 0],
    'most frequent first; unknown words are <unk>',
  )
  t.deepEqual([...tokenizer.encode('is<end>', { allowedSpecial: 'all' })], [2, 1])
  t.equal(tokenizer.decode([2, 0, 1]), 'is <unk> <end>')
  t.equal(tokenizer.decode([2, 0, 1], { skipSpecial: true }), 'is')
  t.equal(trainWordTokenizer(['a b b c c c'], { size: 2 }).vocabularySize, 4, 'the most frequent only')
  t.throws(() => trainWordTokenizer([' ']), InputError)
  t.end()
})

test(`words: T3 ${T3.name}`, t => {
  holds(
    t,
    'texts of known words',
    fc.property(anyText, s => {
      if (!/[^\p{White_Space}]/u.test(wellFormed(s))) return true
      const tokenizer = trainWordTokenizer([s])
      return T3.holds(tokenizer, tokenizer.encode(s))
    }),
  )
  const tokenizer = trainWordTokenizer(['a , b . "c"'])
  const ids = fc.array(fc.nat(tokenizer.vocabularySize - 1))
  breaks(
    t,
    'neighbouring punctuation',
    fc.property(ids, xs => T3.holds(tokenizer, tokenizer.encode(tokenizer.decode(xs).replaceAll(' ', '')))),
    { numRuns: 1000 },
  )
  holds(
    t,
    `T4 ${T4.name}`,
    fc.property(ids, xs => T4.holds(streamed(tokenizer, xs), tokenizer.decode(xs))),
  )
  t.end()
})
