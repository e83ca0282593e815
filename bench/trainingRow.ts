/** One training step of a GPT beside PyTorch, jax-js and tfjs-wasm: forward, backward, clip to norm 1, AdamW with decay on matrices. */
import { join } from 'node:path'
import type { Engine } from '../src/engine/engine.ts'
import { type WasmOptions, wasmEngine } from '../src/engine/wasm/engine.ts'
import { alternate, checkEqual, median } from './measure.ts'
import { type GptTrainer, gptTrainer, THREADS } from './ours.ts'
import { numberIn, numbersIn, type Peer } from './peer.ts'
import { figure } from './results.ts'
import { roofline } from './roofline.ts'
import { lowerIsBetter, orReason, type Row } from './row.ts'
import { type GptShape, gptWeights, writeWeights } from './weights.ts'
import { whereTimeGoes } from './whereTimeGoes.ts'

const RATE = 1e-3
/** Pairs beside what takes seconds for a step. */
const FEW_PAIRS = 5
/** Milliseconds of a step from which on a peer is timed by its checked steps alone. */
const SLOW = 10_000
/** Steps whose losses have to agree: from the second on, each shows the gradients and updates before it. */
export const CHECKED_STEPS = 3
/** Of a loss: a rate wrong by 1 % is off by 3e-5 in the second step, no update at all by 3e-4. */
export const LOSS_TOLERANCE = 1e-5

/** The figure for `Row.further`. */
export const TIMES_JAVASCRIPT = 'times as fast as the best JavaScript or WebAssembly peer'

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

export interface TrainingRowOptions extends Pick<Row, 'name' | 'title' | 'target' | 'further'> {
  readonly shape: GptShape
  readonly batch: number
  /** Steps of one measurement. */
  readonly steps: number
  /** Threads that PyTorch gets: the best of these counts. */
  readonly peerThreads: readonly number[]
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
    const before = await roofline(THREADS)
    const { x, y } = trainingBatches(shape, { steps, batch })
    const checked = trainingBatches(shape, { steps: CHECKED_STEPS, batch })
    const trainerOn = (engine: Engine) => gptTrainer(shape, weights, RATE, engine)
    const engine = wasmEngine({ threads: THREADS })
    engine.warm()
    const trainer = trainerOn(engine)
    const { losses } = await trainer.train(checked.x, checked.y)
    const load = (peer: Peer, threads: number) => peer.ask({ do: 'load', weights: file, heads: shape.heads, threads })
    const train = (peer: Peer, batches: TrainingBatches) => peer.ask({ do: 'train', ...batches, rate: RATE })
    /** Loads the peer and compares its first steps with ours. */
    const check = async (peer: Peer) => {
      await load(peer, 1)
      const theirs = await train(peer, checked)
      return {
        difference: checkEqual(`losses in ${peer.version}`, losses, numbersIn(theirs, 'losses'), LOSS_TOLERANCE),
        step: numberIn(theirs, 'milliseconds') / CHECKED_STEPS,
      }
    }
    /** A step of ours, on average over a run of them. */
    const step = async (of: GptTrainer) => (await of.train(x, y)).milliseconds / steps
    /** The same first steps, then steps in turn. */
    const besideJavascript = async (script: string) => {
      const peer = await orReason(tools.node(script))
      if (typeof peer === 'string') return { version: peer, ours: [], theirs: [] }
      tools.say(`${row.name}: ${peer.version}`)
      const first = await check(peer)
      if (first.step > SLOW)
        return {
          version: `${peer.version} (${CHECKED_STEPS} steps)`,
          ours: [await step(trainer)],
          theirs: [first.step],
        }
      const one = { x: x.slice(0, 1), y: y.slice(0, 1) }
      const pairs = await alternate(
        FEW_PAIRS,
        async () => (await trainer.train(one.x, one.y)).milliseconds,
        async () => numberIn(await train(peer, one), 'milliseconds'),
        0,
      )
      peer.stop()
      return { version: peer.version, ...pairs }
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
    const torch = await orReason(tools.python('pytorch.py'))
    const first = typeof torch === 'string' ? null : await check(torch)
    const measured: {
      readonly threads: number
      readonly ours: readonly number[]
      readonly theirs: readonly number[]
    }[] = []
    const present = typeof torch === 'string' ? null : torch
    for (const threads of present === null ? [1] : peerThreads) {
      if (present !== null) await load(present, threads)
      const theirs = present && (async () => numberIn(await train(present, { x, y }), 'milliseconds') / steps)
      measured.push({ threads, ...(await alternate(tools.pairs, () => step(trainer), theirs)) })
    }
    tools.say(`${row.name}: the other binary, one thread, kernel by kernel`)
    const plain = await beside({ threads: THREADS, relaxed: false })
    const alone = await beside({ threads: 1 })
    const kernels = await whereTimeGoes(engine, { steps, before }, () => step(trainer))
    const javascript = [await besideJavascript('jax.mjs'), await besideJavascript('tfjsGpt.mjs')]
    trainer.close()
    engine.close()
    const best =
      present === null ? measured[0] : measured.reduce((a, b) => (median(a.theirs) <= median(b.theirs) ? a : b))
    if (best === undefined) throw new Error('nothing was measured')
    const value = median(best.ours)
    const peerValue = present && median(best.theirs)
    const counts = measured.map(one => `${one.threads} thread${one.threads === 1 ? '' : 's'}: ${say(one.theirs)}`)
    const times = javascript.flatMap(({ version, ours, theirs }) =>
      theirs.length === 0 ? [] : [{ version, theirs, times: median(theirs) / median(ours) }],
    )
    return {
      value,
      peerValue,
      ratio: lowerIsBetter(value, peerValue),
      further: { [TIMES_JAVASCRIPT]: times.length === 0 ? null : Math.min(...times.map(one => one.times)) },
      threads: THREADS,
      runs: tools.pairs,
      note: [
        `${trainer.backend}; ${plain.backend} ${say(plain.others)} beside ${say(plain.own)}; one thread ${say(alone.others)} beside ${say(alone.own)}, ${figure(median(alone.others) / median(alone.own))} times as long`,
        typeof torch === 'string' ? torch : `${torch.version}, ${counts.join(', ')}`,
        `each run is ${steps} step${steps === 1 ? '' : 's'}`,
        kernels.note,
        ...times.map(one => `${one.version}: ${say(one.theirs)}, ${figure(one.times)} times ours`),
        ...javascript.flatMap(({ version, theirs }) => (theirs.length === 0 ? [version] : [])),
        `losses of the first ${CHECKED_STEPS} steps equal within ${LOSS_TOLERANCE.toExponential(0)} everywhere${first === null ? '' : `, PyTorch's within ${first.difference.toExponential(0)}`}`,
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
        ...Object.fromEntries(times.map(({ version, theirs }) => [version, theirs])),
      },
    }
  },
})
