/** Adaptive integration as feedback: laws S8, S10, S11, S13, S14, S15; flow matching on pairs, and training that shows samples. */
import { concatMap, last, lastValueFrom, Subject, take, tap } from 'rxjs'
import test from 'tape'
import { predictor } from '../../../operators/diffusion/denoiser.ts'
import type { Slope } from '../../../operators/diffusion/flow/dormandPrince.ts'
import { adam } from '../../../operators/optimizer/index.ts'
import { flowLevel, flowMatchingObjective, type PairBatch } from '../../../pipelines/diffusion/flowMatchingObjective.ts'
import { type Integrated, type IntegrateOptions, integrate } from '../../../pipelines/diffusion/integrate.ts'
import { residualMlp } from '../../../pipelines/diffusion/residualMlp.ts'
import { trainWithSamples } from '../../../pipelines/diffusion/trainWithSamples.ts'
import { objectiveTrainer } from '../../../pipelines/trainer.ts'
import { context } from '../../../src/context.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { NumericError } from '../../../src/errors.ts'
import { initialize } from '../../../src/initialize.ts'
import { scale } from '../../../src/kernel/binary.ts'
import { fold, key, normal, uniform } from '../../../src/random.ts'
import { readNow, tensor } from '../../../src/tensor/tensor.ts'
import { times } from '../../../src/tensor/times.ts'
import { within } from '../../laws/check.ts'
import { finiteDifference } from '../../laws/operator.ts'
import { S13, S15, same, settle, whole } from '../../laws/streams.ts'
import { live, readingLate } from '../support.ts'

/** dx/dt = x cos t from 0 to 3: x e^{sin t}. */
const swinging = (own: Partial<IntegrateOptions> = {}, engine = referenceEngine()) => {
  let asked = 0
  const slope: Slope = (x, t) => {
    asked++
    return scale(x, Math.cos(t))
  }
  const start = () => tensor(engine, [2], [1, -2])
  return { engine, steps$: integrate({ slope, start, from: 0, to: 3, ...own }), asked: () => asked }
}
const errorOf = ({ x }: Integrated): number => Math.abs((x[0] ?? Number.NaN) - Math.exp(Math.sin(3)))

test('integrate meets its tolerance with few evaluations, and ends where it was told to', async t => {
  for (const tolerance of [1e-3, 1e-6, 1e-9]) {
    const { engine, steps$, asked } = swinging({ absolute: tolerance, relative: tolerance })
    const { values, ends } = await whole(steps$)
    const end = values.at(-1)
    if (end === undefined) throw new Error('no steps')
    t.ok(
      errorOf(end) < 10 * tolerance,
      `tolerance ${tolerance}: ${errorOf(end).toExponential(1)} off, ${asked()} asked`,
    )
    t.equal(end.t, 3)
    t.equal(end.evaluations, asked(), 'counts what was rejected too')
    t.equal(asked() % 6, 1, 'six a trial, and the first')
    t.same(ends, ['complete'])
    t.ok(S15.holds(engine.counter), 'S15')
  }
  const back = await lastValueFrom(swinging({ from: 3, to: 0, absolute: 1e-9, relative: 1e-9 }).steps$)
  t.ok(Math.abs((back.x[0] ?? 0) - Math.exp(-Math.sin(3))) < 1e-8, 'backwards')
  const loose = await lastValueFrom(swinging({ absolute: 1e-2, relative: 1e-2 }).steps$)
  t.ok(errorOf(loose) > 1e-6, 'control: a loose tolerance is used')
  t.end()
})

test('S8 S10 S11 S13 S14 S15 hold of integration', async t => {
  const run = () => swinging({}, wasmEngine())
  t.ok(await S13.holds(run().steps$), 'S13')
  const all = await whole(run().steps$)
  t.ok(same((await whole(swinging({}, readingLate(wasmEngine())).steps$)).values, all.values), 'late reads')
  const few = swinging({ firstStep: 0.01 })
  t.equal(few.asked(), 0)
  await whole(few.steps$.pipe(take(2)))
  await settle()
  t.equal(few.asked(), 13, 'S8: two steps and the first slope')
  t.ok(S15.holds(few.engine.counter), 'S10 S15: stopped, and nothing left')
  const demand$ = new Subject<number>()
  const paid = swinging({ demand$, firstStep: 0.01 })
  const subscription = paid.steps$.subscribe()
  await settle()
  t.equal(paid.asked(), 0, 'S11: no credit, no step')
  demand$.next(1)
  await settle()
  t.equal(paid.asked(), 7)
  subscription.unsubscribe()
  await settle()
  t.equal(live(paid.engine), 0)
  const engine = referenceEngine()
  const wall: Slope = (x, time) => scale(x, time < 1 ? 1 : Number.NaN)
  const start = () => tensor(engine, [1], [1])
  const { ends, errors } = await whole(integrate({ slope: wall, start, from: 0, to: 2 }))
  t.same(ends, ['error'])
  t.ok(errors[0] instanceof NumericError && /shrank/.test(errors[0].message), 'S14: no way past a wall')
  t.equal(live(engine), 0)
  t.end()
})

const pairs = (index: number, count = 64): PairBatch => {
  const source = normal(fold(key(index), 'source'), 2 * count)
  return { index, shape: [count, 2], source, target: source.map((x, i) => 0.5 * x + (i % 2 === 0 ? 2 : -1)) }
}
const model = residualMlp({ dimensions: 2, width: 16, depth: 1 })

test('flow matching: the squared error of source - target at x = (1 - t) target + t source', t => {
  const engine = referenceEngine()
  const batch = pairs(0, 3)
  const sample = [tensor<readonly ['batch', 'dimension']>(engine, [1, 2], [0, 0]), times(0)] as const
  const parameters = initialize(model, sample, engine, key(1))
  const c = context(parameters, { key: key(2) })
  const found = readNow(flowMatchingObjective(engine, model)(c, batch).value)[0] ?? Number.NaN
  const at = uniform(fold(key(2), 'times'), 3)
  let wanted = 0
  for (let row = 0; row < 3; row++) {
    const time = at[row] ?? 0
    const [source, target] = [batch.source, batch.target].map(x => Array.from(x).slice(2 * row, 2 * row + 2))
    const x = (target ?? []).map((a, i) => (1 - time) * a + time * (source?.[i] ?? 0))
    const predicted = readNow(predictor(model, parameters)(tensor(engine, [1, 2], x), flowLevel(time)))
    wanted += x.reduce((sum, _, i) => sum + ((predicted[i] ?? 0) - ((source?.[i] ?? 0) - (target?.[i] ?? 0))) ** 2, 0)
  }
  t.ok(Math.abs(found - wanted / 6) < 1e-12 * wanted, `${found}, ${wanted / 6}`)
  const points = tensor<readonly ['batch', 'dimension']>(engine, [3, 2], batch.source)
  within(t, 'D4: the network of points', finiteDifference(model, context(parameters), [points, times(0.1, 3)]))
  t.end()
})

test('training on a straight flow finds it; while samples are drawn no batch is', async t => {
  const engine = wasmEngine()
  const optimizer = adam({ rate: 1e-2 })
  const drawn: number[] = []
  let sampling = 0
  const run$ = trainWithSamples({
    trainer: objectiveTrainer(
      flowMatchingObjective(engine, model),
      optimizer,
      () => {
        const sample = [tensor<readonly ['batch', 'dimension']>(engine, [1, 2], [0, 0]), times(0)] as const
        const parameters = initialize(model, sample, engine, key(1))
        sample[0].release()
        return { parameters, optimizer: optimizer.init(), step: 0 }
      },
      key(3),
    ),
    batchAt: index => {
      drawn.push(index)
      if (sampling > 0) t.fail('a batch while sampling')
      return index < 300 ? pairs(index) : null
    },
    sampleEvery: 100,
    sample: ({ parameters }) => {
      sampling++
      const predict = predictor(model, parameters)
      const start = () => tensor(engine, [3, 2], [0, 0, 1, 0, 0, 1])
      const ends$ = integrate({ slope: (x, time) => predict(x, flowLevel(time)), start, from: 1, to: 0 })
      return ends$.pipe(
        last(),
        concatMap(end => settle(2).then(() => end)),
        tap(() => sampling--),
      )
    },
  })
  const { values } = await whole(run$, 20_000)
  t.equal(values.length, 300)
  t.same(
    values.flatMap(({ step, samples }) => (samples === null ? [] : [step])),
    [100, 200, 300],
  )
  const off = (x: ArrayLike<number> = []) =>
    Math.max(...[2, -1, 2.5, -1, 2, -0.5].map((wanted, i) => Math.abs((x[i] ?? Number.NaN) - wanted)))
  const [early, late] = [values[99]?.samples?.x, values[299]?.samples?.x]
  t.ok(off(late) < 0.1, `ends ${off(late).toFixed(3)} off`)
  t.ok(off(early) > off(late), `control: ${off(early).toFixed(3)} off after 100 steps`)
  await settle()
  t.equal(live(engine), 0, 'S15')
  t.equal(drawn.length, 301)
  t.end()
})
