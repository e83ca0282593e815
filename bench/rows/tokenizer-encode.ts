/** Encoding tinyshakespeare with GPT-2's vocabulary, warm: the same text again and again in one process. Ids are checked first. */
import { readFileSync } from 'node:fs'
import { openTokenizer } from '../../pipelines/tokenizerFiles.ts'
import { alternate, checkEqual, median, milliseconds } from '../measure.ts'
import { higherIsBetter, type Row } from '../row.ts'

const WARM_UP = 5

export const row: Row = {
  name: 'tokenizer-encode',
  title: 'encoding tinyshakespeare, GPT-2 vocabulary, warm',
  unit: 'MB/s',
  target: 'ratio >= 1',
  peer: 'gpt-tokenizer',
  run: async tools => {
    const text = readFileSync(tools.shared('data/corpora/tinyshakespeare.txt'), 'utf8')
    const folder = tools.shared('data/tokenizers/gpt2')
    const megabytes = new TextEncoder().encode(text).length / 1e6
    const start = performance.now()
    const tokenizer = await openTokenizer(folder)
    const opened = performance.now()
    const ids = tokenizer.encode(text)
    const encoded = performance.now()
    const peer = await import('gpt-tokenizer/encoding/r50k_base')
    const imported = performance.now()
    const theirIds = peer.encode(text)
    const theirEncoded = performance.now()
    checkEqual('ids', ids, theirIds, 0)
    const pairs = await alternate(
      tools.pairs,
      () => milliseconds(() => tokenizer.encode(text)),
      () => milliseconds(() => peer.encode(text)),
      WARM_UP,
    )
    const [value, peerValue] = [megabytes / (median(pairs.ours) / 1000), megabytes / (median(pairs.theirs) / 1000)]
    const ms = (from: number, to: number) => Number((to - from).toFixed(1))
    const details = {
      tokens: ids.length,
      'cold: open, ms': ms(start, opened),
      'cold: first encoding, ms': ms(opened, encoded),
      'peer cold: import, ms': ms(encoded, imported),
      'peer cold: first encoding, ms': ms(imported, theirEncoded),
    }
    const cold = `${details['cold: open, ms']} + ${details['cold: first encoding, ms']}`
    const theirCold = `${details['peer cold: import, ms']} + ${details['peer cold: first encoding, ms']}`
    return {
      value,
      peerValue,
      ratio: higherIsBetter(value, peerValue),
      threads: 1,
      runs: tools.pairs,
      note: `cold (open + first encoding): ${cold} ms, peer ${theirCold} ms; ${ids.length} equal ids`,
      details,
    }
  },
}
