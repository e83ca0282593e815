/** Encoding tinyshakespeare with GPT-2's vocabulary, warm: the same text again and again. Ids are checked first. */
import { readFileSync } from 'node:fs'
import { openTokenizer } from '../../pipelines/tokenizerFiles.ts'
import { alternate, checkEqual, median, milliseconds } from '../measure.ts'
import { numberIn, numbersIn } from '../peer.ts'
import { higherIsBetter, orReason, type Row } from '../row.ts'

const WARM_UP = 5

export const row: Row = {
  name: 'tokenizer-encode',
  title: 'encoding tinyshakespeare, GPT-2 vocabulary, warm',
  unit: 'MB/s',
  target: 'ratio >= 1',
  peer: 'gpt-tokenizer',
  run: async tools => {
    const file = tools.shared('data/corpora/tinyshakespeare.txt')
    const text = readFileSync(file, 'utf8')
    const folder = tools.shared('data/tokenizers/gpt2')
    const megabytes = new TextEncoder().encode(text).length / 1e6
    const start = performance.now()
    const tokenizer = await openTokenizer(folder)
    const opened = performance.now()
    const ids = tokenizer.encode(text)
    const cold = { open: opened - start, first: performance.now() - opened }
    const peer = await orReason(tools.node('gptTokenizer.mjs'))
    const ours = () => milliseconds(() => tokenizer.encode(text))
    const beside = async () => {
      if (typeof peer === 'string') return { ...(await alternate(tools.pairs, ours, null, WARM_UP)), note: peer }
      const first = await peer.ask({ do: 'load', file })
      checkEqual('ids', ids, numbersIn(first, 'ids'), 0)
      const theirs = async () => numberIn(await peer.ask({ do: 'time' }), 'milliseconds')
      const theirCold = numberIn(first, 'imported') + numberIn(first, 'milliseconds')
      return {
        ...(await alternate(tools.pairs, ours, theirs, WARM_UP)),
        note: `${peer.version} ${theirCold.toFixed(0)} ms; ${ids.length} equal ids`,
      }
    }
    const pairs = await beside()
    const rate = (times: readonly number[]) => megabytes / (median(times) / 1000)
    const value = rate(pairs.ours)
    const peerValue = pairs.theirs.length === 0 ? null : rate(pairs.theirs)
    return {
      value,
      peerValue,
      ratio: higherIsBetter(value, peerValue),
      threads: 1,
      runs: tools.pairs,
      note: `cold (open and first encoding): ${(cold.open + cold.first).toFixed(0)} ms, ${pairs.note}`,
      details: { 'cold: open, ms': cold.open, 'cold: first encoding, ms': cold.first, tokens: ids.length },
    }
  },
}
