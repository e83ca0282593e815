/**
 * One token of cached greedy decoding of GPT-2's 124M shape, f32, random weights. Ours is `generate`, with sampler, detokenizer and stream; the peer runs
 * the model and takes the greatest logit. Bound by reading the weights, so it is measured beside the bandwidth too.
 */
import { gpt2BytesPerToken, gpt2Llama, gpt2Runtime, gpt2Weights } from '../gpt2.ts'
import { alternate, checkEqual, logProbabilities, median } from '../measure.ts'
import { gptDecoder, THREADS } from '../ours.ts'
import { numberIn, numbersIn } from '../peer.ts'
import { figure, percent, share } from '../results.ts'
import { roofline } from '../roofline.ts'
import { lowerIsBetter, type Row } from '../row.ts'
import { gpt2 } from '../weights.ts'

const COUNT = 24
const SHARE = 'share of the measured read bandwidth'
const prompt = Array.from({ length: 16 }, (_, i) => (i * 7919) % gpt2.vocabulary)

export const row: Row = {
  name: 'decode-gpt2',
  title: 'decoding a token, GPT-2 124M, f32',
  unit: 'ms',
  target: 'ratio >= 1',
  further: { [SHARE]: '>= 0.9' },
  peer: 'the better of onnxruntime-node and llama.cpp, best of one or two threads',
  run: async tools => {
    const weights = gpt2Weights()
    const decoder = gptDecoder(gpt2, weights)
    const runtimes = [await gpt2Runtime(tools, weights, { do: 'export' }), await gpt2Llama(tools, weights)]
    const ours = async () => (await decoder.decode(prompt, COUNT)).milliseconds / COUNT
    const measured: {
      readonly peer: string
      readonly threads: number
      readonly ours: number
      readonly fastest: number
      readonly theirs: number
    }[] = []
    const checked: string[] = []
    try {
      const own = await decoder.decode(prompt, COUNT)
      let peak = await roofline(THREADS)
      const text = [...prompt, ...own.ids]
      const logits = decoder.logits(text)
      for (const { peer, load } of runtimes) {
        if (typeof peer === 'string') {
          checked.push(peer)
          continue
        }
        await load(1)
        const first = await peer.ask({ do: 'decode', prompt, count: COUNT })
        checkEqual(`ids of ${peer.version}`, own.ids, numbersIn(first, 'ids'), 0)
        // llama.cpp gives log probabilities alone, and keeps keys and values as binary16.
        const difference =
          first.logits === undefined
            ? checkEqual(
                `log probabilities of ${peer.version}`,
                logProbabilities(logits),
                numbersIn(await peer.ask({ do: 'logProbabilities', ids: text }), 'logProbabilities'),
                2e-3,
              )
            : checkEqual(`logits of ${peer.version}`, logits, numbersIn(first, 'logits'), 1e-3)
        checked.push(`${peer.version}: ids equal, logits within ${difference.toExponential(0)}`)
        const theirs = async () =>
          numberIn(await peer.ask({ do: 'decode', prompt, count: COUNT }), 'milliseconds') / COUNT
        for (const threads of [1, 2]) {
          await load(threads)
          const pairs = await alternate(tools.pairs, ours, theirs)
          measured.push({
            ...{ peer: peer.version, threads, ours: median(pairs.ours), theirs: median(pairs.theirs) },
            fastest: Math.min(...pairs.ours),
          })
          peak = await roofline(THREADS, peak)
        }
        peer.stop()
      }
      const best = measured.length === 0 ? null : measured.reduce((a, b) => (a.theirs <= b.theirs ? a : b))
      const value = best?.ours ?? median((await alternate(tools.pairs, ours, null)).ours)
      const peerValue = best?.theirs ?? null
      const { read } = peak
      const floor = gpt2BytesPerToken(weights) / read / 1e6
      // What two threads read is a peak: so is what is held against it.
      const rate = gpt2BytesPerToken(weights) / Math.min(value, ...measured.map(({ fastest }) => fastest)) / 1e6
      return {
        value,
        peerValue,
        ratio: lowerIsBetter(value, peerValue),
        further: { [SHARE]: share(rate, read) },
        threads: THREADS,
        runs: tools.pairs,
        note: [
          decoder.backend,
          ...checked,
          ...measured.map(one => `${one.peer}, threads ${one.threads}: ${figure(one.theirs)} ms`),
          `each run is ${COUNT} tokens after ${prompt.length}`,
          `ours reads ${figure(rate)} GB/s at best, ${percent(rate, read)} of the ${figure(read)} GB/s that two threads read at best, before or between: floor ${figure(floor)} ms`,
        ].join('; '),
        details: { read, floor, bytesPerToken: gpt2BytesPerToken(weights), rate, readShare: rate / read },
      }
    } finally {
      decoder.close()
      for (const runtime of runtimes) runtime.remove()
    }
  },
}
