import fc from 'fast-check'
import test from 'tape'
import { type Merges, mergeByHeap, mergeByScan } from '../../../operators/token/merges.ts'
import { joiningMerges, listedMerges } from '../../../operators/token/mergeTables.ts'
import { patterns, pieces } from '../../../operators/token/pattern.ts'
import { TokenTable } from '../../../operators/token/tokenTable.ts'
import { tokensOfMerges, trainByteLevelBpe } from '../../../operators/token/trainByteLevelBpe.ts'
import { InputError } from '../../../src/errors.ts'
import { anyText, repetitive } from '../../arbitraries/text.ts'
import { sameIds, streamed, T1, T2, T3, T4, T5, T6, T8, T9, wellFormed } from '../../laws/token.ts'
import { breaks, holds } from '../../property.ts'

const corpus = 'To be, or not to be: that is the question. <|endoftext|> 中文 😀 naïve café aaaa aaaaa\n\n\tto be'
const END = '<|endoftext|>'
const tokenizer = trainByteLevelBpe([corpus], { vocabularySize: 300, specialTokens: [END] })
const anyIds = fc.array(fc.nat(tokenizer.vocabularySize - 1), { maxLength: 20 })

test(`T1 ${T1.name}`, t => {
  holds(
    t,
    'any text, byte-order marks and lone surrogates included',
    fc.property(anyText, s => T1.holds(tokenizer, s)),
    { numRuns: 2000 },
  )
  t.equal(tokenizer.decode(tokenizer.encode('\ufeffx')), '\ufeffx', 'a leading byte-order mark stays')
  const decode = (ids: ArrayLike<number>) => new TextDecoder().decode(tokenizer.decodeBytes(ids))
  breaks(
    t,
    'a TextDecoder that drops byte-order marks',
    fc.property(anyText, s => T1.holds({ ...tokenizer, decode }, `\ufeff${s}`)),
  )
  t.end()
})

test(`T2 ${T2.name}`, t => {
  const bytes = (ids: readonly number[]) => tokenizer.decodeBytes(ids)
  holds(
    t,
    'any ids',
    fc.property(anyIds, anyIds, (xs, ys) => T2.holds(bytes, xs, ys)),
  )
  const text = (ids: readonly number[]) => new TextEncoder().encode(tokenizer.decode(ids))
  breaks(
    t,
    'text is no homomorphism',
    fc.property(anyIds, anyIds, (xs, ys) => T2.holds(text, xs, ys)),
    { numRuns: 5000 },
  )
  t.end()
})

test(`T3 ${T3.name}`, t => {
  holds(
    t,
    'ids of any text',
    fc.property(anyText, s => T3.holds(tokenizer, tokenizer.encode(s))),
  )
  breaks(
    t,
    'ids of no text',
    fc.property(anyIds, ids => T3.holds(tokenizer, ids)),
  )
  t.end()
})

test(`T4 ${T4.name}`, t => {
  holds(
    t,
    'any ids, of a text or not',
    fc.property(anyIds, ids => T4.holds(streamed(tokenizer, ids), tokenizer.decode(ids))),
    { numRuns: 2000 },
  )
  holds(
    t,
    'no U+FFFD inside valid text, token by token and byte by byte',
    fc.property(anyText, s => {
      const text = wellFormed(s).replaceAll('\ufffd', '')
      const bytes = new TextEncoder().encode(text)
      return [tokenizer.encode(text), bytes].every(ids => {
        const texts = streamed(tokenizer, ids)
        return texts.join('') === text && texts.every(part => !part.includes('\ufffd'))
      })
    }),
    { numRuns: 2000 },
  )
  holds(
    t,
    'special tokens skipped',
    fc.property(anyIds, ids => T4.holds(streamed(tokenizer, ids, true), tokenizer.decode(ids, { skipSpecial: true }))),
  )
  breaks(
    t,
    'each token decoded alone',
    fc.property(anyText, s => {
      const ids = [...new TextEncoder().encode(wellFormed(s))]
      return T4.holds(
        ids.map(id => tokenizer.decode([id])),
        tokenizer.decode(ids),
      )
    }),
  )
  t.end()
})

test(`T5 ${T5.name}`, t => {
  for (const name of ['gpt2', 'cl100k', 'o200k'] as const) {
    const { encode } = trainByteLevelBpe([corpus], { vocabularySize: 290, pattern: name })
    const { split } = patterns[name]
    holds(
      t,
      name,
      fc.property(anyText, s => T5.holds(encode, pieces(split, s), s)),
      { numRuns: 1000 },
    )
  }
  breaks(
    t,
    'pieces of one character',
    fc.property(repetitive, s => T5.holds(tokenizer.encode, [...s], s)),
  )
  t.end()
})

test(`T6 ${T6.name}`, t => {
  const merges = trainByteLevelBpe(['abcabaacab aaaaaaa abba cabbac'], { vocabularySize: 275 }).model
  if (merges.kind !== 'byteLevelBpe' || merges.merges === null) throw new Error('expected merges')
  const list = merges.merges
  const table = new TokenTable(tokensOfMerges(list))
  const symbols = fc.array(fc.constantFrom(97, 97, 98, 99, 32), { maxLength: 150 })
  // One merge after another, in training order, over the whole text.
  const inOrder = (rules: Merges, ids: Int32Array, length: number): number => {
    let left = [...ids.subarray(0, length)]
    list.forEach(([a, b]) => {
      const next: number[] = []
      for (let i = 0; i < left.length; i++) {
        const joins = left[i] === a && left[i + 1] === b
        next.push(joins ? rules.result[rules.find(a, b)] : left[i])
        if (joins) i++
      }
      left = next
    })
    ids.set(left)
    return left.length
  }
  const listed = listedMerges(list, table)
  for (const [name, way] of [
    ['a heap', mergeByHeap],
    ['training order', inOrder],
  ] as const) {
    holds(
      t,
      `scanning and ${name}`,
      fc.property(symbols, ids => T6.holds(mergeByScan, way, listed, ids)),
      { numRuns: 500 },
    )
  }
  const joining = joiningMerges(table)
  holds(
    t,
    'by rank of joined bytes',
    fc.property(symbols, ids => T6.holds(mergeByScan, mergeByHeap, joining, ids)),
  )
  const backwards = { ...listed, precedence: listed.precedence.map(p => -p) }
  const wrong = (_: Merges, ids: Int32Array, length: number) => mergeByScan(backwards, ids, length)
  breaks(
    t,
    'last merge first',
    fc.property(symbols, ids => T6.holds(mergeByScan, wrong, listed, ids)),
    { numRuns: 500 },
  )
  t.end()
})

test(`T8 ${T8.name}`, t => {
  holds(
    t,
    'any text',
    fc.property(anyText, s => T8.holds(tokenizer.encode, s)),
  )
  breaks(
    t,
    'with a prefix',
    fc.property(anyText, s => T8.holds(x => Int32Array.of(0, ...tokenizer.encode(x)), s)),
  )
  const lengths = [256, 260, 270, 280].map(
    size => trainByteLevelBpe([corpus], { vocabularySize: size }).encode(corpus).length,
  )
  t.ok(
    lengths.every((length, i) => i === 0 || length <= lengths[i - 1]),
    `more merges never lengthen the corpus: ${lengths}`,
  )
  t.end()
})

test(`T9 ${T9.name}`, t => {
  const { specialTokens, encode } = tokenizer
  const around = fc.tuple(anyText, anyText).map(([a, b]) => `${a}${END}${b}`)
  holds(
    t,
    'unless allowed',
    fc.property(around, s => T9.holds(encode, specialTokens, s)),
  )
  breaks(
    t,
    'allowed',
    fc.property(around, s => T9.holds(x => encode(x, { allowedSpecial: 'all' }), specialTokens, s)),
  )
  t.deepEqual([...encode(`a${END}b`, { allowedSpecial: [END] })], [97, tokenizer.endId, 98], 'allowed by name')
  t.throws(() => encode('a', { allowedSpecial: ['<x>'] }), InputError, 'an unknown name')
  holds(
    t,
    'round trip with special tokens allowed',
    fc.property(around, s => T1.holds({ ...tokenizer, encode: x => encode(x, { allowedSpecial: 'all' }) }, s)),
  )
  t.end()
})

test('the cache of pieces changes nothing, whatever came before', t => {
  const fresh = () => trainByteLevelBpe([corpus], { vocabularySize: 300, specialTokens: [END] })
  const [used, unused] = [fresh(), fresh()]
  const words = Array.from({ length: 70_000 }, (_, i) => ` w${i}`).join('')
  const first = used.encode(words)
  t.ok(sameIds(first, used.encode(words)), 'twice, more pieces than the cache holds')
  holds(
    t,
    'used and unused',
    fc.property(anyText, s => sameIds(used.encode(s), unused.encode(s))),
  )
  t.end()
})

test('errors say what is wrong', t => {
  t.throws(() => tokenizer.decode([300]), /token id of the vocabulary \(0 to 299\), found 300/)
  t.throws(() => tokenizer.decode([-1]), InputError)
  t.throws(() => tokenizer.decode([0.5]), InputError)
  t.throws(() => trainByteLevelBpe([''], { vocabularySize: 300 }), /trained on text, found none/)
  t.throws(() => trainByteLevelBpe(['a'], { vocabularySize: 200 }), /expected a vocabulary of 256/)
  t.end()
})

test('long pieces take no quadratic time', t => {
  const text = 'ab'.repeat(100_000)
  const own = trainByteLevelBpe(['ababab abab'], { vocabularySize: 260 })
  t.equal(own.decode(own.encode(text)), text)
  t.end()
})
