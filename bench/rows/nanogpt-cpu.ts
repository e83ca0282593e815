/**
 * Quality: nanoGPT's CPU configuration, 2000 steps on tinyshakespeare characters, scored on all of the validation text (its last tenth) in
 * windows of 64. nanoGPT's published 1.88 is the mean of 20 random batches; PyTorch's figures here are on the same windows as ours.
 */
import { readFileSync } from 'node:fs'
import { median } from '../measure.ts'
import { THREADS, trainNanogpt } from '../ours.ts'
import { numberIn } from '../peer.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'

const SEEDS = [1337, 1, 2]
/** PyTorch 1.13, the same three seeds of its own generator; `--remeasure-peers` takes 100 s a seed. */
const RECORDED = [1.9, 1.915, 1.913]

export const row: Row = {
  name: 'nanogpt-cpu',
  title: 'validation loss of nanoGPT, 4 layers x 128, 2000 steps, all of the validation text',
  unit: 'nats',
  target: 'value <= 1.92',
  peer: 'PyTorch',
  run: async tools => {
    const corpus = tools.shared('data/corpora/tinyshakespeare.txt')
    const text = readFileSync(corpus, 'utf8')
    const losses: number[] = []
    for (const seed of SEEDS) {
      const start = performance.now()
      const { loss } = await trainNanogpt(text, seed, (step, training) =>
        tools.say(`  seed ${seed}, step ${step}: training loss ${training.toFixed(4)}`),
      )
      losses.push(loss)
      const seconds = (performance.now() - start) / 1000
      tools.say(`  seed ${seed}: validation loss ${loss.toFixed(4)}, ${seconds.toFixed(0)} s`)
    }
    const theirs = [...RECORDED]
    let version = 'PyTorch 1.13 recorded'
    if (tools.remeasurePeers) {
      const torch = await orReason(tools.python('nanogpt.py'))
      if (typeof torch === 'string') version += ` (not measured anew: ${torch})`
      else {
        version = torch.version
        for (const [i, seed] of SEEDS.entries()) {
          const loss = numberIn(await torch.ask({ do: 'train', corpus, seed }), 'loss')
          tools.say(`  ${version}, seed ${seed}: ${loss.toFixed(4)}`)
          theirs[i] = loss
        }
      }
    }
    const show = (values: readonly number[]) => values.map(loss => loss.toFixed(3)).join(', ')
    const value = median(losses)
    const peerValue = median(theirs)
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: SEEDS.length,
      note: `seeds ${SEEDS.join(', ')}: ${show(losses)}; ${version}: ${show(theirs)}`,
      details: { losses, theirs },
    }
  },
}
