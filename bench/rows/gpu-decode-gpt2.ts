/**
 * One token of cached greedy decoding of GPT-2's 124M shape on WebGPU, f32, random weights: `generate` with sampler, detokenizer and stream. The
 * peer is the floor, all weights read once at the bandwidth that this GPU shows; the ids are checked against the wasm engine's.
 */

import { gpt2BytesPerToken } from '../gpt2.ts'
import { gpuRoofline, openGpu } from '../gpu.ts'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptDecoder } from '../ours.ts'
import { figure } from '../results.ts'
import { lowerIsBetter, type Row } from '../row.ts'
import { baby, gpt2, gptWeights } from '../weights.ts'

export const row: Row = {
  name: 'gpu-decode-gpt2',
  title: 'decoding a token on WebGPU, GPT-2 124M, f32',
  unit: 'ms',
  target: 'ratio >= 0.5',
  peer: 'the floor: weights read once at the measured bandwidth',
  run: async tools => {
    const { engine, trial } = await openGpu()
    const [shape, count] = trial === '' ? [gpt2, 64] : [baby, 4]
    const weights = gptWeights(shape, 0.05)
    const prompt = Array.from({ length: 16 }, (_, i) => (i * 7919) % shape.vocabulary)
    const [decoder, host] = [gptDecoder(shape, weights, engine), gptDecoder(shape, weights)]
    try {
      const { ids } = await decoder.decode(prompt, count)
      checkEqual('ids of the wasm engine', ids, (await host.decode(prompt, count)).ids, 0)
      const before = { ...engine.work }
      const times = await alternate(
        tools.pairs,
        async () => (await decoder.decode(prompt, count)).milliseconds / count,
        null,
      )
      // A warm-up beside the pairs, and `count` + 1 tokens in each.
      const tokens = (tools.pairs + 1) * (count + 1)
      const each = (what: 'submissions' | 'readbacks' | 'launches') => (engine.work[what] - before[what]) / tokens
      const value = median(times.ours)
      const { read } = await gpuRoofline(trial !== '')
      const bytes = gpt2BytesPerToken(weights)
      const floor = bytes / read / 1e6
      return {
        value,
        peerValue: floor,
        ratio: lowerIsBetter(value, floor),
        threads: 1,
        runs: tools.pairs,
        trial,
        note: [
          engine.adapter,
          `${figure(1000 / value)} tokens a second`,
          `each run is ${count} tokens after ${prompt.length}, the ids of the wasm engine`,
          `${figure(each('submissions'))} submissions, ${figure(each('readbacks'))} readbacks and ${figure(each('launches'))} kernels a token`,
          `reads ${figure(bytes / value / 1e6)} of ${figure(read)} GB/s`,
        ].join('; '),
        details: {
          read,
          bytesPerToken: bytes,
          submissions: each('submissions'),
          readbacks: each('readbacks'),
          kernels: each('launches'),
        },
      }
    } finally {
      decoder.close()
      host.close()
      await engine.destroy()
    }
  },
}
