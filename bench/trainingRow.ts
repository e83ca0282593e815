/** One training step of a GPT beside PyTorch and jax-js: forward, backward, clip to norm 1, AdamW with decay on matrices. */
import { join } from 'node:path'
import { alternate, checkEqual, median } from './measure.ts'
import { gptTrainer, THREADS } from './ours.ts'
import { numberIn, numbersIn, type Peer } from './peer.ts'
import { figure } from './results.ts'
import { lowerIsBetter, orReason, type Row } from './row.ts'
import { type GptShape, gptWeights, writeWeights } from './weights.ts'

const RATE = 1e-3
/** Pairs of single steps beside jax-js, which takes seconds for one. */
const JAVASCRIPT_PAIRS = 3

export interface TrainingBatches {
  readonly x: number[][][]
  readonly y: number[][][]
}

/** `steps` batches (steps, batch, block) of token ids, the targets one position on; the same at every run. */
export const trainingBatches = (
  { block, vocabulary }: GptShape,
  { steps, batch }: { readonly steps: number; readonly batch: number },
): TrainingBatches => {
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * vocabulary)
  }
  const windows = Array.from({ length: steps }, () =>
    Array.from({ length: batch }, () => Array.from({ length: block + 1 }, next)),
  )
  const cut = (from: number) => windows.map(rows => rows.map(window => window.slice(from, from + block)))
  return { x: cut(0), y: cut(1) }
}

export interface TrainingRowOptions extends Pick<Row, 'name' | 'title' | 'target'> {
  readonly shape: GptShape
  readonly batch: number
  /** Steps of one measurement. */
  readonly steps: number
  /** Threads that PyTorch gets: the best of these counts. */
  readonly peerThreads: readonly number[]
}

export const trainingRow = ({ shape, batch, steps, peerThreads, ...row }: TrainingRowOptions): Row => ({
  ...row,
  unit: 'ms',
  peer: 'PyTorch',
  run: async tools => {
    const file = join(tools.cache, `${row.name}.safetensors`)
    const weights = gptWeights(shape)
    writeWeights(file, weights)
    const { x, y } = trainingBatches(shape, { steps, batch })
    const trainer = gptTrainer(shape, weights, RATE)
    const torch = await orReason(tools.python('pytorch.py'))
    const ours = () => trainer.train(x, y)
    const theirs = typeof torch === 'string' ? null : () => torch.ask({ do: 'train', x, y, rate: RATE })
    const load = async (threads: number) => {
      if (typeof torch !== 'string') await torch.ask({ do: 'load', weights: file, heads: shape.heads, threads })
    }
    await load(1)
    const first = await ours()
    /** The same first step, then steps in turn. */
    const besideJax = async (jax: Peer) => {
      tools.say(`${row.name}: jax-js`)
      await jax.ask({ do: 'load', weights: file, heads: shape.heads })
      const one = { x: x.slice(0, 1), y: y.slice(0, 1) }
      const step = () => jax.ask({ do: 'train', ...one, rate: RATE })
      checkEqual('loss of the first step in jax-js', first.losses.slice(0, 1), numbersIn(await step(), 'losses'), 1e-3)
      return alternate(
        JAVASCRIPT_PAIRS,
        async () => (await trainer.train(one.x, one.y)).milliseconds,
        async () => numberIn(await step(), 'milliseconds'),
      )
    }
    const difference =
      theirs === null
        ? null
        : checkEqual('losses of the first steps', first.losses, numbersIn(await theirs(), 'losses'), 1e-3)
    const measured: {
      readonly threads: number
      readonly ours: readonly number[]
      readonly theirs: readonly number[]
    }[] = []
    for (const threads of theirs === null ? [1] : peerThreads) {
      await load(threads)
      const pairs = await alternate(
        tools.pairs,
        async () => (await ours()).milliseconds / steps,
        theirs && (async () => numberIn(await theirs(), 'milliseconds') / steps),
      )
      measured.push({ threads, ...pairs })
    }
    const jax = await orReason(tools.node('jax.mjs'))
    const javascript = typeof jax === 'string' ? null : await besideJax(jax)
    trainer.close()
    const best =
      theirs === null ? measured[0] : measured.reduce((a, b) => (median(a.theirs) <= median(b.theirs) ? a : b))
    if (best === undefined) throw new Error('nothing was measured')
    const value = median(best.ours)
    const peerValue = theirs && median(best.theirs)
    const counts = measured.map(
      one => `${one.threads} thread${one.threads === 1 ? '' : 's'}: ${figure(median(one.theirs))} ms`,
    )
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        trainer.backend,
        typeof torch === 'string' ? torch : `${torch.version}, ${counts.join(', ')}`,
        `each run is ${steps} step${steps === 1 ? '' : 's'}`,
        javascript === null || typeof jax === 'string'
          ? jax
          : `${jax.version}: ${figure(median(javascript.theirs))} ms, ${figure(median(javascript.theirs) / median(javascript.ours))} times ours`,
        ...(difference === null ? [] : [`losses of the first ${steps} equal within ${difference.toExponential(0)}`]),
      ].join('; '),
      details: Object.fromEntries([
        ...measured.flatMap(one => [
          [`ours beside ${one.threads}`, one.ours],
          [`theirs, ${one.threads}`, one.theirs],
        ]),
        ...(javascript === null
          ? []
          : [
              ['ours beside jax-js', javascript.ours],
              ['jax-js', javascript.theirs],
            ]),
      ]),
    }
  },
})
