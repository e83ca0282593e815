import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import test from 'tape'
import { countPieces, countPiecesAsync } from '../../../operators/token/countPieces.ts'
import { learnMerges } from '../../../operators/token/learnMerges.ts'
import { patterns, pieces } from '../../../operators/token/pattern.ts'
import { trainByteLevelBpe, trainByteLevelBpeAsync } from '../../../operators/token/trainByteLevelBpe.ts'
import { anyText, repetitive } from '../../arbitraries/text.ts'
import { T7 } from '../../laws/token.ts'
import { breaks, holds } from '../../property.ts'
import { withShared } from '../../shared.ts'
import { recount } from './recount.ts'

const countsArbitrary = fc.array(fc.tuple(fc.oneof(repetitive, anyText), fc.integer({ min: 1, max: 9 })), {
  maxLength: 8,
})

test(`T7 ${T7.name}`, t => {
  holds(
    t,
    'any pieces with any counts',
    fc.property(countsArbitrary, counts => T7.holds(learnMerges(counts, 60), recount(counts, 60))),
    { numRuns: 300 },
  )
  breaks(
    t,
    'ties broken by the greater pair',
    fc.property(countsArbitrary, counts =>
      T7.holds(
        learnMerges(counts, 60),
        recount(counts, 60, ([l, r, n], [l2, r2, n2]) => n > n2 || (n === n2 && (l > l2 || (l === l2 && r > r2)))),
      ),
    ),
  )
  holds(
    t,
    'the order of the pieces does not matter',
    fc.property(countsArbitrary, counts => T7.holds(learnMerges(counts, 60), learnMerges(counts.toReversed(), 60))),
  )
  const tokenizer = trainByteLevelBpe(['aaabdaaabac'], { vocabularySize: 259 })
  t.deepEqual([...tokenizer.encode('aaabdaaabac')], [258, 100, 258, 97, 99], 'the example of Wikipedia, as in minbpe')
  t.end()
})

test('T7 tinyshakespeare: the merges are those of the simple way', t => {
  withShared(t, 'data/corpora/tinyshakespeare.txt', path => {
    const counts = countPieces(patterns.gpt2.split, [readFileSync(path, 'utf8')])
    const merges = learnMerges(counts, 4096)
    t.equal(merges.length, 4096)
    t.ok(T7.holds(merges.slice(0, 60), recount(counts, 60)), 'the first 60; bench/rows/bpe-train compares all 4,096')
  })
  t.end()
})

test('a corpus in chunks gives the counts of the whole, for every chunking and pattern', async t => {
  const chunks = fc.array(fc.oneof(anyText, repetitive, fc.constantFrom('a b', 'x\n', ' ', 'y', "'")), {
    maxLength: 12,
  })
  for (const name of ['gpt2', 'cl100k', 'o200k'] as const) {
    const { split } = patterns[name]
    holds(
      t,
      name,
      fc.property(chunks, parts => {
        const whole = new Map<string, number>()
        for (const piece of pieces(split, parts.join(''))) whole.set(piece, (whole.get(piece) ?? 0) + 1)
        const counted = countPieces(split, parts)
        return counted.size === whole.size && [...whole].every(([piece, count]) => counted.get(piece) === count)
      }),
      { numRuns: 1000 },
    )
  }
  const parts = ['To be, or n', 'ot to be', ': that is the que', 'stion']
  const arriving = async function* () {
    for (const part of parts) yield part
  }
  t.deepEqual(
    [...(await countPiecesAsync(patterns.gpt2.split, arriving()))],
    [...countPieces(patterns.gpt2.split, parts)],
  )
  const options = { vocabularySize: 270 }
  const [now, later] = [trainByteLevelBpe(parts, options), await trainByteLevelBpeAsync(arriving(), options)]
  t.deepEqual(later.model, now.model, 'the same tokenizer from chunks that arrive in time')
})

test('training stops where no pair occurs often enough', t => {
  t.equal(trainByteLevelBpe(['ab'], { vocabularySize: 1000 }).vocabularySize, 257)
  t.equal(trainByteLevelBpe(['ab'], { vocabularySize: 1000, minimumCount: 2 }).vocabularySize, 256)
  t.end()
})
