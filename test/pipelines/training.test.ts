/** Laws of training: determinism, resuming, accumulation, gradients as a stream, errors, cancelling, memory. */
import fc from 'fast-check'
import { filter, type MonoTypeOperatorFunction, map, merge, Observable, share, take, tap } from 'rxjs'
import test from 'tape'
import { adamW, chain, clipByGlobalNorm, identity } from '../../operators/optimizer/index.ts'
import { accumulateGradients, meanGradient } from '../../pipelines/accumulation.ts'
import { readLatest, writeCheckpoint } from '../../pipelines/checkpoint.ts'
import { everyLogits } from '../../pipelines/languageModel.ts'
import { modelOf } from '../../pipelines/model.ts'
import { RunRecord } from '../../pipelines/runRecord.ts'
import type { RunStep, Snapshot } from '../../pipelines/runTraining.ts'
import { type Batch, randomWindows } from '../../pipelines/textBatches.ts'
import { train } from '../../pipelines/train.ts'
import { type Gradient, gradientOf, trainer } from '../../pipelines/trainer.ts'
import { type TrainingRun, trainingRun } from '../../pipelines/trainingRun.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { Gpt2Config } from '../../src/codec/gpt2.ts'
import { TrainingOptions } from '../../src/codec/training.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { NumericError } from '../../src/errors.ts'
import { initialize } from '../../src/initialize.ts'
import { key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { gradients } from '../../streams/index.ts'
import { sameTensors } from '../laws/codec.ts'
import { same, settle, whole } from '../laws/streams.ts'
import { all, inFolder, live, readingLate, watchingReads } from './support.ts'

const VOCABULARY = 12
const text = (length: number, salt = 0): Int32Array =>
  Int32Array.from({ length }, (_, i) => (i * i + salt + Math.floor(i / 3)) % VOCABULARY)

const configOf = (dropout = 0): Gpt2Config =>
  decodeOrThrow(
    Gpt2Config,
    {
      vocab_size: VOCABULARY,
      n_positions: 8,
      n_embd: 16,
      n_layer: 2,
      n_head: 2,
      embd_pdrop: dropout,
      resid_pdrop: dropout,
    },
    'config',
  )

const trainingOptions = (own: object = {}): TrainingOptions =>
  decodeOrThrow(
    TrainingOptions,
    { steps: 8, batch: 3, block: 8, warmup: 2, evaluateEvery: 0, checkpointEvery: 0, seed: 3, ...own },
    'options',
  )

/** A small run: `own` are training options, `more` the rest of it. */
const runOf = (engine: Engine, own: object = {}, more: Partial<TrainingRun> = {}): TrainingRun => {
  const options = trainingOptions(own)
  return {
    engine,
    config: configOf(options.dropout),
    options,
    training: text(120),
    validation: text(50, 1),
    from: null,
    ...more,
  }
}

const lossesOf = (steps: readonly RunStep[]): number[] => steps.map(({ loss }) => loss)
const lastSnapshot = (steps: readonly RunStep[]): Snapshot => {
  const snapshot = steps.findLast(step => step.snapshot !== null)?.snapshot
  if (snapshot === null || snapshot === undefined) throw new Error('no snapshot')
  return snapshot
}
const sameSnapshot = (x: Snapshot, y: Snapshot): boolean =>
  x.step === y.step &&
  sameTensors(x.parameters, y.parameters) &&
  sameTensors(x.optimizer.tensors, y.optimizer.tensors) &&
  same(x.optimizer.plain, y.optimizer.plain)

test('O10 the same seed gives the same run, bit for bit', async t => {
  for (const open of [wasmEngine, referenceEngine])
    for (const own of [{}, { accumulate: 2, dropout: 0.2 }, { evaluateEvery: 3, checkpointEvery: 2 }]) {
      const engine = open()
      const run$ = trainingRun(runOf(engine, own))
      const [first, second] = await Promise.all([all(run$), all(run$)])
      const third = await all(trainingRun(runOf(open(), own)))
      const name = `${engine.name} ${JSON.stringify(own)}`
      t.ok(same(first, second) && same(first, third), `${name}: two at once, and one on a new engine`)
      const other = await all(trainingRun(runOf(engine, { ...own, seed: 4 })))
      t.notDeepEqual(lossesOf(other), lossesOf(first), `negative control, ${name}: another seed`)
      t.equal(live(engine), 0, `${name}: S15 nothing is left`)
    }
  const dropped = (dropout: number) => all(trainingRun(runOf(wasmEngine(), { dropout })))
  t.notDeepEqual(lossesOf(await dropped(0.2)), lossesOf(await dropped(0)), 'negative control: dropout does something')
  t.end()
})

test('O10 the first loss is near log V, and one batch is learnt by heart', async t => {
  const engine = wasmEngine()
  const one = { training: text(9), validation: new Int32Array() }
  const own = { steps: 200, batch: 1, learningRate: 1e-2, minimumLearningRate: 1e-3, warmup: 10, weightDecay: 0 }
  const losses = lossesOf(await all(trainingRun(runOf(engine, own, one))))
  const [first = Number.NaN] = losses
  t.ok(
    Math.abs(first - Math.log(VOCABULARY)) < 0.05,
    `first loss ${first.toFixed(4)}, log V ${Math.log(VOCABULARY).toFixed(4)}`,
  )
  t.ok((losses.at(-1) ?? 1) < 0.01, `after 200 steps ${losses.at(-1)?.toExponential(2)}`)
  const still = { ...own, learningRate: 1e-12, minimumLearningRate: 0 }
  const stays = lossesOf(await all(trainingRun(runOf(engine, still, one))))
  t.ok((stays.at(-1) ?? 0) > 2, `negative control: without a learning rate it stays at ${stays.at(-1)?.toFixed(4)}`)
  t.end()
})

/** Through a checkpoint on the disk and back. */
const throughDisk = (out: string, { step, parameters, optimizer }: Snapshot, options: TrainingOptions): Snapshot => {
  const state = {
    preset: 'test',
    vocabulary: null,
    options,
    text: '00',
    engine: 'any',
    backend: null,
    optimizer: optimizer.plain,
  }
  writeCheckpoint(out, { step, tensors: parameters, optimizer: optimizer.tensors, state }, RunRecord)
  const latest = readLatest(out, RunRecord)
  if (latest === null) throw new Error('no checkpoint')
  return {
    step: latest.step,
    parameters: latest.tensors,
    optimizer: { tensors: latest.optimizer, plain: latest.state.optimizer },
  }
}

test('L11 train n + m = train n, save, load, train m, bit for bit', async t => {
  await inFolder(async root => {
    let folder = 0
    const law = fc.asyncProperty(
      fc.constantFrom(1, 2, 3),
      fc.constantFrom(0, 0.25),
      fc.constantFrom(0, 1),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(1000),
      async (accumulate, dropout, clip, at, seed) => {
        const own = { steps: 6, batch: 2, accumulate, dropout, clip, seed, checkpointEvery: at, evaluateEvery: 2 }
        const whole = await all(trainingRun(runOf(wasmEngine(), own)))
        const stopped = await all(trainingRun(runOf(wasmEngine(), own)).pipe(take(at)))
        const from = throughDisk(`${root}/${folder++}`, lastSnapshot(stopped), trainingOptions(own))
        const engine = wasmEngine()
        const resumed = await all(trainingRun(runOf(engine, own, { from })))
        return (
          same(lossesOf([...stopped, ...resumed]), lossesOf(whole)) &&
          same(
            [...stopped, ...resumed].map(({ step }) => step),
            [1, 2, 3, 4, 5, 6],
          ) &&
          same(
            [...stopped, ...resumed].map(({ rate, validation }) => [rate, validation]),
            whole.map(({ rate, validation }) => [rate, validation]),
          ) &&
          sameSnapshot(lastSnapshot(resumed), lastSnapshot(whole)) &&
          live(engine) === 0
        )
      },
    )
    const result = await fc.check(law, { numRuns: 12 })
    t.notOk(
      result.failed,
      result.failed ? fc.defaultReportMessage(result) : `${result.numRuns} runs, losses and weights`,
    )

    const own = { steps: 6, checkpointEvery: 3, dropout: 0.2, accumulate: 2 }
    const steps = await all(trainingRun(runOf(wasmEngine(), own)))
    const middle = steps[2]?.snapshot
    if (!middle) return t.fail('no snapshot in the middle')
    const resumedFrom = async (from: Snapshot) => lossesOf(await all(trainingRun(runOf(wasmEngine(), own, { from }))))
    const expected = lossesOf(steps).slice(3)
    t.deepEqual(await resumedFrom(middle), expected, 'from the middle')
    const { optimizer } = lastSnapshot(steps)
    t.notDeepEqual(
      await resumedFrom({ ...middle, optimizer }),
      expected,
      'negative control: with another memory of the optimizer',
    )
    t.notDeepEqual(
      (await resumedFrom({ ...middle, step: 2 })).slice(0, 3),
      expected,
      'negative control: with other batches and dropout',
    )
  })
  t.end()
})

const model = everyLogits(modelOf(configOf()))
const parametersOn = (engine: Engine): Named => initialize(model, tokens([0]), engine, key(2))
const numbersOf = ({ loss, gradient }: Gradient): ReadonlyMap<string, number[]> =>
  new Map([['loss', loss] as const, ...Object.entries(gradient)].map(([path, x]) => [path, Array.from(readNow(x))]))
/** The largest difference, over the largest number, of all tensors. */
const distance = (x: ReadonlyMap<string, number[]>, y: ReadonlyMap<string, number[]>): number => {
  if ([...x.keys()].sort().join() !== [...y.keys()].sort().join()) return Number.POSITIVE_INFINITY
  return Math.max(
    ...Array.from(x, ([path, values]) => {
      const others = y.get(path) ?? []
      const scale = Math.max(...values.map(Math.abs), 1e-6)
      return Math.max(...values.map((value, i) => Math.abs(value - (others[i] ?? Number.NaN)))) / scale
    }),
  )
}
const joined = ([first, ...rest]: readonly Batch[]): Batch => {
  if (first === undefined) throw new Error('no batches')
  const every = [first, ...rest]
  const side = (of: 'inputs' | 'targets') =>
    tokens(
      every.flatMap(batch => Array.from(batch[of].ids)),
      [every.reduce((sum, batch) => sum + (batch[of].shape[0] ?? 0), 0), first[of].shape[1] ?? 0],
    )
  return { index: first.index, inputs: side('inputs'), targets: side('targets') }
}

test('D9 the mean gradient of k batches is the gradient of the joined batch', async t => {
  for (const [engine, tolerance] of [
    [referenceEngine(), 1e-9],
    [wasmEngine(), 1e-5],
  ] as const) {
    const parameters = parametersOn(engine)
    const windows = randomWindows(text(120), { batch: 2, block: 8 }, key(9))
    for (const k of [1, 2, 4])
      scope(() => {
        const parts = Array.from({ length: k }, (_, i) => windows(i))
        const split = parts.map(batch => gradientOf(model, parameters, batch, key(0)))
        const whole = gradientOf(model, parameters, joined(parts), key(0))
        const off = distance(numbersOf(whole), numbersOf(meanGradient(split)))
        t.ok(off <= tolerance, `${engine.name}, k = ${k}: loss and gradients within ${off.toExponential(1)}`)
        if (k > 1) {
          const short = distance(numbersOf(whole), numbersOf(meanGradient(split.slice(1))))
          t.ok(short > 100 * tolerance, `negative control: without one batch ${short.toExponential(1)} apart`)
        }
      })
    const run = (batch: number, count: number): Promise<number[]> => {
      const parts = randomWindows(text(120), { batch: 2, block: 8 }, key(9))
      const start = () => ({ parameters: parametersOn(engine), optimizer: optimizer.init(), step: 0 })
      const optimizer = chain(clipByGlobalNorm(1), adamW({ rate: 1e-2, epsilon: 1e-3 }))
      return all(
        train({
          trainer: trainer(model, optimizer, start, key(0)),
          batchAt: i => {
            if (i >= 5 * count) return null
            return count === 2 ? parts(i) : joined([parts(batch * i), parts(batch * i + 1)])
          },
          through: accumulateGradients(count),
          keep: count,
        }).pipe(map(({ loss }) => loss)),
      )
    }
    const [accumulated, whole] = [await run(1, 2), await run(2, 1)]
    const off = Math.max(...accumulated.map((loss, i) => Math.abs(loss - (whole[i] ?? Number.NaN))))
    t.ok(
      accumulated.length === 5 && off <= 10 * tolerance,
      `${engine.name}: five accumulated steps, losses within ${off.toExponential(1)}`,
    )
  }
  t.end()
})

test('the gradient stream is visible: subscribe, clip, skip, merge', async t => {
  const engine = wasmEngine()
  const own = { steps: 4, accumulate: 2, clip: 0 }
  const plain = await all(trainingRun(runOf(engine, own)))
  const through = (operator: MonoTypeOperatorFunction<Gradient>, more: object = {}) =>
    all(trainingRun(runOf(engine, { ...own, ...more }, { through: operator })))

  const losses: number[] = []
  const paths = new Set<string>()
  const watched = await through(
    tap(({ loss, gradient }) => {
      losses.push(Number(readNow(loss)[0]))
      for (const path in gradient) paths.add(path)
    }),
  )
  t.ok(same(watched, plain), 'watching changes nothing')
  t.equal(losses.length, 8, 'each batch shows its gradient, before accumulation')
  const mean = (i: number) => ((losses[2 * i] ?? 0) + (losses[2 * i + 1] ?? 0)) / 2
  t.ok(
    plain.every(({ loss }, i) => Math.abs(loss - mean(i)) < 1e-6),
    'a step has the mean of their losses',
  )
  t.deepEqual([...paths].sort(), [...lastSnapshot(plain).parameters.keys()].sort(), 'of every parameter')

  const clip = clipByGlobalNorm(0.05)
  const clipped: MonoTypeOperatorFunction<Gradient> = map(({ loss, gradient }) => ({
    loss,
    gradient: clip.step(null, { gradient, parameters: {} })[0],
  }))
  const alone = { accumulate: 1 }
  t.deepEqual(
    lossesOf(await through(clipped, alone)),
    lossesOf(await all(trainingRun(runOf(engine, { ...own, ...alone, clip: 0.05 })))),
    'clipped in the stream = clipped by the optimizer',
  )
  t.notDeepEqual(lossesOf(await through(clipped)), lossesOf(plain), 'negative control: clipping does something')

  const halves: MonoTypeOperatorFunction<Gradient> = source => {
    const shared = source.pipe(share())
    return merge(shared.pipe(filter((_, i) => i % 2 === 0)), shared.pipe(filter((_, i) => i % 2 === 1)))
  }
  t.ok(same(await through(halves), plain), 'split in two streams and merged')

  const state = { parameters: parametersOn(engine), optimizer: null, step: 0 }
  const half = trainer(model, identity, () => state, key(0))
  const windows = randomWindows(text(120), { batch: 2, block: 8 }, key(9))
  const worker = (first: number): Observable<Gradient> =>
    new Observable<Batch>(subscriber => {
      for (const i of [first, first + 2]) subscriber.next(windows(i))
      subscriber.complete()
    }).pipe(gradients(half.gradient, state, { keep: 4 }))
  const kept = await all(merge(worker(0), worker(1)).pipe(map(({ loss }) => Number(readNow(loss)[0]))))
  t.equal(kept.length, 4, 'gradients of fixed parameters from two workers, merged')
  for (const x of Object.values(state.parameters)) x.release()
  t.equal(live(engine), 0, 'S15 nothing is left')
  t.end()
})

test('a loss or a parameter that is not finite ends the run with a NumericError and no snapshot after it', async t => {
  for (const [name, engine] of [
    ['at once', wasmEngine()],
    ['late', readingLate(wasmEngine())],
  ] as const) {
    for (const [what, more, before] of [
      ['the loss', { learningRate: 1e30 }, 1],
      ['the validation loss', { learningRate: 1e30, evaluateEvery: 1 }, 0],
      ['a parameter', { learningRate: 1e39 }, 0],
    ] as const) {
      const own = { steps: 20, checkpointEvery: 1, warmup: 0, clip: 0, ...more }
      const { values, ends, errors } = await whole(trainingRun(runOf(engine, own)))
      t.deepEqual(ends, ['error'], `reads ${name}, ${what}: error, once`)
      t.ok(errors[0] instanceof NumericError, String(errors[0]))
      t.ok(
        values.length === before &&
          values.every(({ snapshot }) =>
            Array.from(snapshot?.parameters.values() ?? []).every(({ data }) =>
              Array.from(data, Number).every(Number.isFinite),
            ),
          ),
        `${values.length} steps before it, all finite`,
      )
      await settle()
      t.equal(live(engine), 0, 'S15 nothing is left')
    }
  }
  const fine = await whole(trainingRun(runOf(wasmEngine(), { steps: 20 })))
  t.deepEqual(fine.ends, ['complete'], 'negative control: a usual learning rate ends well')
  t.end()
})

test('S14 wrong ids, a text too short, a throw in the gradient stream: error, once, and all is freed', async t => {
  const wrong = text(120).map((id, i) => (i === 60 ? VOCABULARY : id))
  const cases: readonly (readonly [string, object, Partial<TrainingRun>, RegExp])[] = [
    ['an unknown id', { steps: 50 }, { training: wrong }, /InputError: .*vocabulary.*12/],
    ['an unknown id held out', { evaluateEvery: 2 }, { validation: wrong }, /InputError: .*vocabulary.*12/],
    [
      'a text too short',
      {},
      { training: text(8) },
      /InputError: text: expected more than 8 tokens, one block, found 8/,
    ],
    [
      'a throw in the gradient stream',
      { accumulate: 3 },
      {
        through: map((gradient, i) => {
          if (i === 4) throw new Error('the user broke')
          return gradient
        }),
      },
      /Error: the user broke/,
    ],
  ]
  for (const [name, open] of [
    ['at once', wasmEngine],
    ['late', () => readingLate(wasmEngine())],
  ] as const)
    for (const [what, own, more, message] of cases) {
      const engine = open()
      const { ends, errors } = await whole(trainingRun(runOf(engine, own, more)))
      t.ok(same(ends, ['error']) && message.test(String(errors[0])), `reads ${name}, ${what}: ${errors[0]}`)
      await settle()
      t.equal(live(engine), 0, `reads ${name}, ${what}: S15 nothing is left`)
    }
  t.end()
})

test('S10, S15 unsubscribing at any read, of a loss, in a validation or a snapshot, stops compute and frees all', async t => {
  for (const [name, open] of [
    ['at once', wasmEngine],
    ['late', () => readingLate(wasmEngine())],
  ] as const) {
    const own = { steps: 2, evaluateEvery: 1, checkpointEvery: 1, accumulate: 2, dropout: 0.1 }
    let total = 0
    const counted = watchingReads(open(), count => {
      total = count
    })
    const validation = text(4500, 1)
    await all(trainingRun(runOf(counted, own, { validation })))
    let stopped = 0
    const places = Array.from({ length: total }, (_, i) => i + 1).filter(at => at < 14 || at % 11 === 0)
    for (const at of places) {
      let launches = -1
      const engine = watchingReads(open(), count => {
        if (count !== at) return
        subscription.unsubscribe()
        launches = engine.counter.launches
      })
      const errors: unknown[] = []
      const subscription = trainingRun(runOf(engine, own, { validation })).subscribe({
        error: error => errors.push(error),
      })
      for (let turn = 0; turn < 400 && launches < 0; turn++) await settle(1)
      await settle(4)
      if (engine.counter.launches !== launches) t.fail(`reads ${name}, read ${at}: kernels ran after unsubscribing`)
      if (live(engine) !== 0) t.fail(`reads ${name}, read ${at}: ${live(engine)} storages left`)
      if (errors.length > 0) t.fail(`reads ${name}, read ${at}: ${errors[0]}`)
      stopped++
    }
    t.equal(stopped, places.length, `reads ${name}: at ${stopped} of ${total} reads`)
  }
  const engine = wasmEngine()
  const held: number[] = []
  await all(trainingRun(runOf(engine)).pipe(tap(() => held.push(live(engine)))))
  t.ok(
    held.every(count => count > 0),
    'negative control: a run that goes on holds its state',
  )
  t.end()
})

test('S16, S17 a run whose reads come late is the same run', async t => {
  for (const own of [
    {},
    { evaluateEvery: 2, checkpointEvery: 3, accumulate: 2, dropout: 0.2 },
    { evaluateEvery: 1, checkpointEvery: 1 },
  ]) {
    const engine = readingLate(wasmEngine())
    const late = await whole(trainingRun(runOf(engine, own)))
    t.deepEqual(late.errors, [], `${JSON.stringify(own)}: no error`)
    t.ok(same(late.values, await all(trainingRun(runOf(wasmEngine(), own)))), `${JSON.stringify(own)}: the same steps`)
    await settle()
    t.equal(live(engine), 0, 'S15 nothing is left')
  }
  t.end()
})

test('the shape engine tells the most memory of a training step, and its FLOPs', t => {
  const costs = (['gradient', 'step'] as const).map(what => {
    const [shape, wasm] = [shapeEngine(), wasmEngine()].map(engine => {
      const parameters = parametersOn(engine)
      const optimizer = chain(clipByGlobalNorm(1), adamW({ rate: 1e-3 }))
      const half = trainer(model, optimizer, () => ({ parameters, optimizer: optimizer.init(), step: 0 }), key(0))
      const batch = randomWindows(text(120), { batch: 4, block: 8 }, key(9))(0)
      const state = half.init()
      const { counter } = engine
      counter.peakBytes = counter.liveBytes
      const gradient = half.gradient(state, batch)
      if (what === 'step') half.update(state, gradient)
      return { peak: counter.peakBytes, flops: counter.flops, launches: counter.launches }
    })
    t.deepEqual(wasm, shape, `${what}: wasm's counter ${JSON.stringify(wasm)}, foretold ${JSON.stringify(shape)}`)
    return wasm
  })
  t.notDeepEqual(costs[0], costs[1], 'negative control: a step costs more than its gradient')
  t.end()
})
