/** One training step of nanoGPT's CPU configuration: forward, backward, clip to norm 1, AdamW with decay on matrices. */
import { join } from 'node:path'
import { alternate, checkEqual, median } from '../measure.ts'
import { gptTrainer } from '../ours.ts'
import { numberIn, numbersIn } from '../peer.ts'
import { figure } from '../results.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'
import { gptWeights, nanogptCpu, writeWeights } from '../weights.ts'

const BATCH = 12
const STEPS = 5
const RATE = 1e-3

/** `steps` batches (steps, batch, block) of token ids, the targets one position on; the same at every run. */
const batches = (steps: number): { readonly x: number[][][]; readonly y: number[][][] } => {
  const { block, vocabulary } = nanogptCpu
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * vocabulary)
  }
  const windows = Array.from({ length: steps }, () =>
    Array.from({ length: BATCH }, () => Array.from({ length: block + 1 }, next)),
  )
  const cut = (from: number) => windows.map(batch => batch.map(window => window.slice(from, from + block)))
  return { x: cut(0), y: cut(1) }
}

export const row: Row = {
  name: 'train-nanogpt-cpu',
  title: 'training step, 4 layers x 128, block 64, batch 12',
  unit: 'ms',
  target: 'ratio >= 0.5',
  peer: 'PyTorch',
  run: async tools => {
    const file = join(tools.cache, 'nanogpt-cpu.safetensors')
    const weights = gptWeights(nanogptCpu)
    writeWeights(file, weights)
    const { x, y } = batches(STEPS)
    const trainer = gptTrainer(nanogptCpu, weights, RATE)
    const torch = await orReason(tools.python('pytorch.py'))
    if (typeof torch !== 'string') await torch.ask({ do: 'load', weights: file, heads: nanogptCpu.heads, threads: 1 })
    const ours = () => trainer.train(x, y)
    const theirs = typeof torch === 'string' ? null : () => torch.ask({ do: 'train', x, y, rate: RATE })
    const first = await ours()
    const difference =
      theirs === null
        ? null
        : checkEqual('losses of the first steps', first.losses, numbersIn(await theirs(), 'losses'), 1e-3)
    const measured = await alternate(
      tools.pairs,
      async () => (await ours()).milliseconds / STEPS,
      theirs && (async () => numberIn(await theirs(), 'milliseconds') / STEPS),
    )
    trainer.close()
    const value = median(measured.ours)
    const peerValue = theirs && median(measured.theirs)
    const version =
      typeof torch === 'string' ? torch : `${torch.version}, one thread, ${figure(median(measured.theirs))} ms`
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: 1,
      runs: tools.pairs,
      note: `${trainer.backend}; ${version}; each run is ${STEPS} steps${difference === null ? '' : `; losses of the first ${STEPS} steps equal within ${difference.toExponential(0)}`}`,
      details: { ours: measured.ours, theirs: measured.theirs },
    }
  },
}
