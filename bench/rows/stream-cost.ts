/**
 * What streams cost: decoding through `generate` and training through `train`, beside plain loops over the same machines. Small models, where a step is short and the
 * cost shows most. The ratio is the worse of both, each the median of its pairs.
 */
import { bareDecoder, bareTrainer } from '../bare.ts'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptDecoder, gptTrainer, THREADS } from '../ours.ts'
import { figure } from '../results.ts'
import type { Row } from '../row.ts'
import { trainingBatches } from '../trainingRow.ts'
import { baby, gptWeights, nanogptCpu } from '../weights.ts'

const COUNT = 192
const STEPS = 5
const RATE = 1e-3
/** A difference of percents needs more pairs than a ratio does. */
const PAIRS = 21
/** Runs until V8 has compiled all that a decoding step calls for good. */
const WARM_UP = 30
const prompt = Array.from({ length: 32 }, (_, i) => (i * 7) % baby.vocabulary)

export const row: Row = {
  name: 'stream-cost',
  title: 'a decoding step (4 layers x 128) through streams; a training step likewise in the note',
  unit: 'ms',
  target: 'ratio >= 0.98',
  peer: 'the same machines in a plain loop',
  run: async tools => {
    const pairs = Math.max(PAIRS, tools.pairs)
    const weights = gptWeights(baby, 0.1)
    const [streamed, plain] = [gptDecoder(baby, weights), bareDecoder(baby, weights)]
    const ids = [(await streamed.decode(prompt, COUNT)).ids, (await plain.decode(prompt, COUNT)).ids] as const
    checkEqual('ids', ...ids, 0)
    const decoding = await alternate(
      pairs,
      async () => (await streamed.decode(prompt, COUNT)).milliseconds / COUNT,
      async () => (await plain.decode(prompt, COUNT)).milliseconds / COUNT,
      WARM_UP,
    )
    streamed.close()
    plain.close()
    const first = gptWeights(nanogptCpu)
    const { x, y } = trainingBatches(nanogptCpu, { steps: STEPS, batch: 12 })
    const [run, bare] = [gptTrainer(nanogptCpu, first, RATE), bareTrainer(nanogptCpu, first, RATE)]
    checkEqual('losses', (await run.train(x, y)).losses, (await bare.train(x, y)).losses, 0)
    const training = await alternate(
      pairs,
      async () => (await run.train(x, y)).milliseconds / STEPS,
      async () => (await bare.train(x, y)).milliseconds / STEPS,
    )
    run.close()
    bare.close()
    const share = ({ ours, theirs }: typeof decoding) => median(ours.map((value, i) => (theirs[i] ?? 0) / value))
    const [decodingShare, trainingShare] = [share(decoding), share(training)]
    const say = (what: string, { ours, theirs }: typeof decoding, ratio: number) =>
      `${what} ${figure(median(ours))} against ${figure(median(theirs))} ms: streams are ${(100 * (1 - ratio)).toFixed(1)} % of the step`
    return {
      value: median(decoding.ours),
      peerValue: median(decoding.theirs),
      ratio: Math.min(decodingShare, trainingShare),
      threads: THREADS,
      runs: pairs,
      note: [
        streamed.backend,
        say('decoding', decoding, decodingShare),
        say('training (4 layers x 128, block 64, batch 12)', training, trainingShare),
        'ids and losses equal',
      ].join('; '),
      details: { decodingShare, trainingShare },
    }
  },
}
