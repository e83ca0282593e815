/**
 * A prompt of 512 tokens through GPT-2's 124M shape, f32, random weights, to its first token: keys and values of all positions, logits of the last. Ours is
 * `generate`, from subscribing to the token.
 */
import { gpt2Runtime, gpt2Weights } from '../gpt2.ts'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptDecoder, THREADS } from '../ours.ts'
import { numberIn, numbersIn } from '../peer.ts'
import { besideFastest } from '../peerThreads.ts'
import { prefillFlops } from '../predicted.ts'
import { figure, percent } from '../results.ts'
import { roofline } from '../roofline.ts'
import { lowerIsBetter, type Row } from '../row.ts'
import { gpt2 } from '../weights.ts'

const LENGTH = 512
const prompt = Array.from({ length: LENGTH }, (_, i) => (i * 7919) % gpt2.vocabulary)

export const row: Row = {
  name: 'prefill-512',
  title: 'prefill of 512 tokens, GPT-2 124M, f32',
  unit: 'ms',
  target: 'ratio >= 0.5',
  peer: 'onnxruntime-node, best of one or two threads',
  run: async tools => {
    const weights = gpt2Weights()
    const decoder = gptDecoder(gpt2, weights)
    const runtime = await gpt2Runtime(tools, weights, { do: 'exportPrefill', length: LENGTH })
    const { peer } = runtime
    const theirs = () =>
      typeof peer === 'string' ? Promise.reject(new Error(peer)) : peer.ask({ do: 'prefill', prompt })
    try {
      await runtime.load(1)
      let difference: number | null = null
      if (typeof peer !== 'string') {
        const logits = numbersIn(await theirs(), 'logits')
        difference = checkEqual(`logits of ${peer.version}`, decoder.logits(prompt), logits, 1e-3)
      }
      const ours = () => decoder.prefill(prompt)
      const beside =
        typeof peer === 'string'
          ? { ...(await alternate(tools.pairs, ours, null)), note: peer }
          : await besideFastest(tools.pairs, runtime.load, ours, async () => numberIn(await theirs(), 'milliseconds'))
      const value = median(beside.ours)
      const peerValue = beside.theirs.length === 0 ? null : median(beside.theirs)
      const { multiplyAdd, fused } = await roofline(THREADS)
      const ceiling = Math.max(multiplyAdd, fused ?? 0)
      const flops = prefillFlops(gpt2, LENGTH)
      const [rate, floor] = [flops / value / 1e6, flops / ceiling / 1e6]
      return {
        value,
        peerValue,
        ratio: lowerIsBetter(value, peerValue),
        threads: THREADS,
        runs: tools.pairs,
        note: [
          decoder.backend,
          typeof peer === 'string' ? peer : `${peer.version}: ${beside.note}`,
          `ours computes ${figure(rate)} GFLOP/s, ${percent(rate, ceiling)} of the ${figure(ceiling)} that two threads reach in 128-bit SIMD: floor ${figure(floor)} ms; the peer's vectors have 512 bits`,
          ...(difference === null ? [] : [`logits within ${difference.toExponential(0)}`]),
        ].join('; '),
        details: { ceiling, floor, ceilingShare: rate / ceiling },
      }
    } finally {
      decoder.close()
      runtime.remove()
    }
  },
}
