/** A decoding step of 8 sequences of GPT-2's 124M shape at once, through the decoder machine, beside 8 steps of one sequence. */
import { batchDecoder } from '../batchDecoder.ts'
import { gpt2BytesPerToken, gpt2Weights } from '../gpt2.ts'
import { alternate, checkEqual, median } from '../measure.ts'
import { THREADS } from '../ours.ts'
import { figure } from '../results.ts'
import { roofline } from '../roofline.ts'
import { lowerIsBetter, type Row } from '../row.ts'
import { gpt2 } from '../weights.ts'

const SEQUENCES = 8
const COUNT = 12
const prompts = Array.from({ length: SEQUENCES }, (_, row) =>
  Array.from({ length: 16 }, (_, i) => ((row + 1) * (i + 1) * 7919) % gpt2.vocabulary),
)

export const row: Row = {
  name: 'decode-batch-8',
  title: 'decoding a token of 8 sequences at once, GPT-2 124M, f32',
  unit: 'ms',
  target: 'ratio >= 3',
  peer: '8 times one sequence, fluxion itself',
  run: async tools => {
    const before = await roofline(THREADS)
    const weights = gpt2Weights()
    const decoder = batchDecoder(gpt2, weights)
    const together = decoder.decode(prompts, COUNT)
    for (const [i, prompt] of prompts.entries()) {
      const alone = decoder.decode([prompt], COUNT)
      checkEqual(`ids of sequence ${i}`, together.ids[i] ?? [], alone.ids[0] ?? [], 0)
      checkEqual(`logits of sequence ${i}`, together.logits[i] ?? [], alone.logits[0] ?? [], 0)
    }
    const first = prompts.slice(0, 1)
    const { ours, theirs } = await alternate(
      tools.pairs,
      () => decoder.decode(prompts, COUNT).milliseconds / COUNT,
      () => (SEQUENCES * decoder.decode(first, COUNT).milliseconds) / COUNT,
    )
    decoder.close()
    const [value, peerValue] = [median(ours), median(theirs)]
    const { multiplyAdd, fused, read } = await roofline(THREADS, before)
    const bytes = gpt2BytesPerToken(weights)
    // A multiply and an add a weight and sequence.
    const computing = (2 * SEQUENCES * bytes) / Float32Array.BYTES_PER_ELEMENT / Math.max(multiplyAdd, fused ?? 0) / 1e6
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: `${decoder.backend}; one sequence ${figure(peerValue / SEQUENCES)} ms a token; each run is ${COUNT} steps after ${first[0]?.length}; floors ${figure(computing)} ms of computing, ${figure(bytes / read / 1e6)} ms of reading; ids and logits of each sequence equal bit for bit, together and alone`,
      details: { ours, theirs, computing, reading: bytes / read / 1e6 },
    }
  },
}
