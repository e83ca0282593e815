/**
 * Memory that the engine took from the host beside the most that the `shape` engine predicts without computing: decoding GPT-2's 124M shape (512 tokens and 8
 * more), and training 6 layers x 384 on 8 x 256 tokens. The ratio is the worse of both, the smaller number over the greater.
 */
import { gpt2Weights } from '../gpt2.ts'
import { aliveBytes, forgetEarlier, MEGABYTE } from '../memory.ts'
import { benchEngine, gptDecoder, gptTrainer, THREADS } from '../ours.ts'
import { predictedDecoding, predictedTraining } from '../predicted.ts'
import { figure } from '../results.ts'
import type { Row } from '../row.ts'
import { trainingBatches } from '../trainingRow.ts'
import { gpt2, gptWeights, sixBy384 } from '../weights.ts'

const BATCH = 8
const COUNT = 8
const prompt = Array.from({ length: 512 }, (_, i) => (i * 7919) % gpt2.vocabulary)

/** Megabytes that lie outside of JavaScript's heap after `work` and did not before. */
const taken = async (work: () => Promise<{ close(): void }>): Promise<number> => {
  await forgetEarlier()
  const before = aliveBytes().external
  const { close } = await work()
  const after = aliveBytes().external
  close()
  return (after - before) / MEGABYTE
}

export const row: Row = {
  name: 'memory-peak',
  title: 'memory of training 6 layers x 384 on 8 x 256 tokens; of decoding in the note',
  unit: 'MB',
  target: 'ratio >= 0.9',
  peer: 'the prediction of the shape engine',
  run: async () => {
    const large = gpt2Weights()
    const decoding = await taken(async () => {
      const decoder = gptDecoder(gpt2, large, benchEngine(THREADS))
      await decoder.decode(prompt, COUNT)
      return decoder
    })
    const small = gptWeights(sixBy384)
    const { x, y } = trainingBatches(sixBy384, { steps: 3, batch: BATCH })
    const training = await taken(async () => {
      const trainer = gptTrainer(sixBy384, small, 1e-3, benchEngine(THREADS))
      await trainer.train(x, y)
      return trainer
    })
    const capacity = prompt.length + COUNT + 1
    const predicted = {
      decoding: predictedDecoding(gpt2, prompt.length, capacity) / MEGABYTE,
      training: predictedTraining(sixBy384, BATCH) / MEGABYTE,
    }
    const share = (a: number, b: number) => Math.min(a, b) / Math.max(a, b)
    const [decodingShare, trainingShare] = [share(decoding, predicted.decoding), share(training, predicted.training)]
    return {
      value: training,
      peerValue: predicted.training,
      ratio: Math.min(decodingShare, trainingShare),
      threads: THREADS,
      runs: 1,
      note: `decoding ${figure(decoding)} MB, predicted ${figure(predicted.decoding)} (ratio ${decodingShare.toFixed(3)}); training ${figure(training)} MB, predicted ${figure(predicted.training)} (ratio ${trainingShare.toFixed(3)})`,
      details: { decoding, predictedDecoding: predicted.decoding, decodingShare, trainingShare },
    }
  },
}
