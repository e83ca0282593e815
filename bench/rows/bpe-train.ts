/**
 * Learning 4,096 merges on tinyshakespeare, counting its pieces included. The peer is the simple implementation that counts all pairs anew
 * before every merge (as minbpe does, over counted pieces); it runs once, and every merge must be the same.
 */
import { readFileSync } from 'node:fs'
import { countPieces } from '../../operators/token/countPieces.ts'
import { learnMerges } from '../../operators/token/learnMerges.ts'
import { patterns } from '../../operators/token/pattern.ts'
import { recount } from '../../test/operators/token/recount.ts'
import { alternate, checkEqual, median, milliseconds } from '../measure.ts'
import { lowerIsBetter, type Row } from '../row.ts'

const MERGES = 4096

export const row: Row = {
  name: 'bpe-train',
  title: `learning ${MERGES} merges on tinyshakespeare`,
  unit: 's',
  target: 'value <= 3',
  peer: 'a recount before every merge',
  run: async tools => {
    const text = readFileSync(tools.shared('data/corpora/tinyshakespeare.txt'), 'utf8')
    const count = () => countPieces(patterns.gpt2.split, [text])
    const own = learnMerges(count(), MERGES)
    tools.say('bpe-train: the simple implementation, once')
    const start = performance.now()
    const simple = recount(count(), MERGES)
    const peerValue = (performance.now() - start) / 1000
    checkEqual('merges', own.flat(), simple.flat(), 0)
    const { ours } = await alternate(tools.pairs, () => milliseconds(() => learnMerges(count(), MERGES)), null)
    const value = median(ours) / 1000
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: 1,
      runs: tools.pairs,
      note: `all ${own.length} merges equal; the peer ran once`,
    }
  },
}
