/** One training step of a GPT beside PyTorch and jax-js: forward, backward, clip to norm 1, AdamW with decay on matrices. */
import { join } from 'node:path'
import type { Engine } from '../src/engine/engine.ts'
import { type WasmOptions, wasmEngine } from '../src/engine/wasm/engine.ts'
import { kernelTimes } from './kernelTimes.ts'
import { alternate, checkEqual, median } from './measure.ts'
import { type GptTrainer, gptTrainer } from './ours.ts'
import { numberIn, numbersIn, type Peer } from './peer.ts'
import { figure } from './results.ts'
import { roofline } from './roofline.ts'
import { lowerIsBetter, orReason, type Row } from './row.ts'
import { type GptShape, gptWeights, writeWeights } from './weights.ts'

const RATE = 1e-3
const THREADS = 2
/** Pairs beside jax-js, which takes seconds for a step, beside the other binary, and beside one thread. */
const FEW_PAIRS = 3

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

/** A step's milliseconds by kind of kernel, with products beside what so many threads can compute at most. */
const whereTimeGoes = async (engine: Engine, steps: number, train: () => Promise<number>) => {
  let step = 0
  const times = await kernelTimes(engine, async () => {
    step = await train()
  })
  const kinds = [...times].sort(([, a], [, b]) => b.milliseconds - a.milliseconds)
  const inside = kinds.reduce((sum, [, time]) => sum + time.milliseconds, 0)
  const { multiplyAdd, fused } = await roofline(THREADS)
  const ceiling = Math.max(multiplyAdd, fused ?? 0)
  const products = times.get('products') ?? { milliseconds: 0, flops: 0 }
  const rate = products.flops / products.milliseconds / 1e6
  const parts = [
    ...kinds.map(([kind, time]) => [kind, time.milliseconds] as const),
    ["the host's own work", steps * step - inside] as const,
  ].map(([part, time]) => [part, time / steps] as const)
  return {
    note: `a step: ${parts.map(([part, time]) => `${part} ${figure(time)}`).join(', ')} ms; products at ${figure(rate)} GFLOP/s, ${((100 * rate) / ceiling).toFixed(0)} % of the ${figure(ceiling)} that ${THREADS} threads reach in 128-bit SIMD`,
    details: {
      ...Object.fromEntries(parts.map(([part, time]) => [`${part}, ms`, time])),
      'products, GFLOP/s': rate,
      'ceiling, GFLOP/s': ceiling,
    },
  }
}

const say = (trained: readonly number[]): string => `${figure(median(trained))} ms`

export const trainingRow = ({ shape, batch, steps, peerThreads, ...row }: TrainingRowOptions): Row => ({
  ...row,
  unit: 'ms',
  peer: 'PyTorch, best of one or two threads',
  run: async tools => {
    const file = join(tools.cache, `${row.name}.safetensors`)
    const weights = gptWeights(shape)
    writeWeights(file, weights)
    const { x, y } = trainingBatches(shape, { steps, batch })
    const trainerOn = (engine: Engine) => gptTrainer(shape, weights, RATE, engine)
    const engine = wasmEngine({ threads: THREADS })
    engine.warm()
    const trainer = trainerOn(engine)
    const torch = await orReason(tools.python('pytorch.py'))
    const ours = () => trainer.train(x, y)
    const theirs = typeof torch === 'string' ? null : () => torch.ask({ do: 'train', x, y, rate: RATE })
    const load = async (threads: number) => {
      if (typeof torch !== 'string') await torch.ask({ do: 'load', weights: file, heads: shape.heads, threads })
    }
    await load(1)
    const first = await ours()
    /** A step of ours, on average over a run of them. */
    const step = async (of: GptTrainer) => (await of.train(x, y)).milliseconds / steps
    /** The same first step, then steps in turn. */
    const besideJax = async (jax: Peer) => {
      tools.say(`${row.name}: jax-js`)
      await jax.ask({ do: 'load', weights: file, heads: shape.heads })
      const one = { x: x.slice(0, 1), y: y.slice(0, 1) }
      const theirStep = () => jax.ask({ do: 'train', ...one, rate: RATE })
      checkEqual(
        'loss of the first step in jax-js',
        first.losses.slice(0, 1),
        numbersIn(await theirStep(), 'losses'),
        1e-3,
      )
      return alternate(
        FEW_PAIRS,
        async () => (await trainer.train(one.x, one.y)).milliseconds,
        async () => numberIn(await theirStep(), 'milliseconds'),
      )
    }
    /** Ours beside ours with other options. */
    const beside = async (options: WasmOptions) => {
      const other = wasmEngine(options)
      other.warm()
      const otherTrainer = trainerOn(other)
      const { ours: own, theirs: others } = await alternate(
        FEW_PAIRS,
        () => step(trainer),
        () => step(otherTrainer),
      )
      otherTrainer.close()
      other.close()
      return { backend: other.backend, own, others }
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
        () => step(trainer),
        theirs && (async () => numberIn(await theirs(), 'milliseconds') / steps),
      )
      measured.push({ threads, ...pairs })
    }
    tools.say(`${row.name}: the other binary, one thread, kernel by kernel`)
    const plain = await beside({ threads: THREADS, relaxed: false })
    const alone = await beside({ threads: 1 })
    const kernels = await whereTimeGoes(engine, steps, () => step(trainer))
    const jax = await orReason(tools.node('jax.mjs'))
    const javascript = typeof jax === 'string' ? null : await besideJax(jax)
    trainer.close()
    engine.close()
    const best =
      theirs === null ? measured[0] : measured.reduce((a, b) => (median(a.theirs) <= median(b.theirs) ? a : b))
    if (best === undefined) throw new Error('nothing was measured')
    const value = median(best.ours)
    const peerValue = theirs && median(best.theirs)
    const counts = measured.map(one => `${one.threads} thread${one.threads === 1 ? '' : 's'}: ${say(one.theirs)}`)
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        `${trainer.backend}; ${plain.backend} ${say(plain.others)} beside ${say(plain.own)}; one thread ${say(alone.others)} beside ${say(alone.own)}, ${figure(median(alone.others) / median(alone.own))} times as long`,
        typeof torch === 'string' ? torch : `${torch.version}, ${counts.join(', ')}`,
        `each run is ${steps} step${steps === 1 ? '' : 's'}`,
        kernels.note,
        javascript === null || typeof jax === 'string'
          ? jax
          : `${jax.version}: ${say(javascript.theirs)}, ${figure(median(javascript.theirs) / median(javascript.ours))} times ours`,
        ...(difference === null ? [] : [`losses of the first ${steps} equal within ${difference.toExponential(0)}`]),
      ].join('; '),
      details: {
        ...Object.fromEntries(
          measured.flatMap(one => [
            [`ours beside ${one.threads}`, one.ours],
            [`theirs, ${one.threads}`, one.theirs],
          ]),
        ),
        [`${plain.backend}, ${THREADS} threads`]: plain.others,
        'one thread': alone.others,
        ...kernels.details,
        ...(javascript === null ? {} : { 'ours beside jax-js': javascript.ours, 'jax-js': javascript.theirs }),
      },
    }
  },
})
