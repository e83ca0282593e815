/** The probability-flow ODE in steps of adaptive size: Gaussian data whose paths are known (X7), and laws S8, S10, S13, S15. */
import { lastValueFrom, NEVER, take } from 'rxjs'
import test from 'tape'
import { cosineSchedule } from '../../../operators/diffusion/index.ts'
import { euler } from '../../../operators/diffusion/sampler/probabilityFlow.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { levelOfRatio } from '../../../operators/diffusion/schedule/sigmaLevels.ts'
import { bundledDigits } from '../../../pipelines/cli/modelPath.ts'
import { denoise } from '../../../pipelines/diffusion/denoise.ts'
import { type AdaptiveOptions, denoiseAdaptively } from '../../../pipelines/diffusion/denoiseAdaptively.ts'
import { openDenoiser } from '../../../pipelines/diffusion/denoisingFolder.ts'
import { diffuse } from '../../../pipelines/diffusion/diffuse.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { InputError } from '../../../src/errors.ts'
import { key, normal } from '../../../src/random.ts'
import { gaussianDenoiser } from '../../laws/diffusion.ts'
import { S13, S15, settle, whole } from '../../laws/streams.ts'
import { live, readingLate } from '../support.ts'

const [MEAN, DEVIATION] = [0.3, 0.5]
const schedule = linearSchedule()
const [from, to] = [levelAt(schedule, 999), levelAt(schedule, 0)]
const shape = [4, 8]
const noise = normal(key(1), 32)

const run = (own: Partial<AdaptiveOptions> = {}) => {
  const engine = own.engine ?? referenceEngine()
  let asked = 0
  const exact = gaussianDenoiser(MEAN, DEVIATION)
  const frames$ = denoiseAdaptively({
    ...{ shape, schedule, from, to, tolerance: 1e-3, noise, ...own, engine },
    denoiser: (x, at) => {
      asked++
      return (own.denoiser ?? exact)(x, at)
    },
  })
  return { engine, frames$, asked: () => asked }
}

/** Where the ODE leads from x: at each level as many deviations from the mean. */
const spread = ({ alpha, sigma }: typeof from): number => Math.sqrt((alpha * DEVIATION) ** 2 + sigma ** 2)
const truth = noise.map(z => {
  const deviations = (from.sigma * z - from.alpha * MEAN) / spread(from)
  const x = to.alpha * MEAN + deviations * spread(to)
  const gain = (to.alpha * DEVIATION ** 2) / spread(to) ** 2
  return gain * x + MEAN * (1 - gain * to.alpha)
})
const errorOf = (sample: ArrayLike<number>): number =>
  truth.reduce((most, value, i) => Math.max(most, Math.abs(value - (sample[i] ?? Number.NaN))), 0)

test('X7: Gaussian data come back within the tolerance, in the fewer evaluations the larger it is', async t => {
  const costs: number[] = []
  for (const tolerance of [1e-2, 1e-4, 1e-6]) {
    const { frames$, asked, engine } = run({ tolerance })
    const { values, ends } = await whole(frames$)
    const end = values.at(-1)
    if (end === undefined) return t.end('no frames')
    t.ok(
      errorOf(end.sample) < 20 * tolerance,
      `${tolerance}: ${errorOf(end.sample).toExponential(1)}, ${asked()} asked`,
    )
    t.deepEqual(
      values.map(({ step, steps }) => [step, steps]),
      values.map((_, i) => [i + 1, null]),
    )
    t.ok(
      values.every(({ sigma }, i) => sigma < (values[i - 1]?.sigma ?? 1)) && end.sigma === 0,
      'less noise at each step, in the end none',
    )
    t.deepEqual(end.sample, end.predictedX0)
    t.deepEqual(ends, ['complete'])
    t.ok(S15.holds(engine.counter))
    costs.push(asked())
  }
  const [few = 0, more = 0, most = 0] = costs
  t.ok(few < more && more < most && few < 80, costs.join(', '))
  const wrong = await lastValueFrom(run({ denoiser: gaussianDenoiser(MEAN + 0.1, DEVIATION) }).frames$)
  t.ok(errorOf(wrong.sample) > 0.05, 'negative control: another mean')
  t.end()
})

test('it begins as denoise does: the same noise by seed, or data noised to a level', async t => {
  const engine = referenceEngine()
  const common = { engine, shape, denoiser: gaussianDenoiser(MEAN, DEVIATION), seed: 3 }
  const middle = levelAt(schedule, 300)
  const levels = [middle, ...Array.from({ length: 300 }, (_, i) => levelAt(schedule, 299 - i))]
  const init = Float64Array.from({ length: 32 }, (_, i) => i / 32)
  for (const start of [{}, { init }]) {
    const stepped = await lastValueFrom(denoise({ ...common, ...start, levels, sampler: euler }))
    const adaptive = await lastValueFrom(
      denoiseAdaptively({ ...common, ...start, schedule, from: middle, to, tolerance: 1e-6 }),
    )
    const apart = Array.from(adaptive.sample).reduce(
      (most, x, i) => Math.max(most, Math.abs(x - (stepped.predictedX0[i] ?? 0))),
      0,
    )
    t.ok(apart < 0.02, `300 steps of Euler: ${apart.toFixed(4)}`)
  }
  const none = await whole(denoiseAdaptively({ ...common, init, schedule, from: to, to, tolerance: 1e-3 }))
  t.deepEqual([none.values.length, none.errors], [1, []], 'nowhere to go: one step')
  t.end()
})

test('a time between two of a schedule: their levels, and what lies between', t => {
  const at = levelOfRatio(schedule)
  for (const time of [0, 17, 999]) {
    const { alpha, sigma } = levelAt(schedule, time)
    const found = at(sigma / alpha)
    t.ok(Math.abs(found.time - time) < 1e-6 && Math.abs(found.alpha - alpha) < 1e-12, `time ${time}`)
  }
  const [low, high] = [17, 18].map(time => levelAt(schedule, time))
  const between = at(((low?.sigma ?? 0) / (low?.alpha ?? 1) + (high?.sigma ?? 0) / (high?.alpha ?? 1)) / 2)
  t.ok(between.time > 17 && between.time < 18)
  t.end()
})

test('diffuse: a schedule of few times has steps enough; masks and changes want a sampler of a given number of steps', async t => {
  const engine = wasmEngine()
  const opened = openDenoiser(bundledDigits(), engine)
  const labels = [7]
  const adaptive = { labels, sampler: 'dormand-prince', tolerance: 0.1 } as const
  const short = { ...opened, schedule: cosineSchedule(20) }
  t.ok((await lastValueFrom(diffuse(short, engine, { ...adaptive, lastOnly: true }))).sample.every(Number.isFinite))
  t.throws(() => diffuse(short, engine, { labels }), /steps: expected a whole number from 1 to 20, found 30/, 'control')
  const init = new Float32Array(784)
  for (const more of [{ changes$: NEVER }, { init, mask: init }])
    t.throws(
      () => diffuse(opened, engine, { ...adaptive, ...more }),
      (error: unknown) => error instanceof InputError && error.message.startsWith('sampler: expected one of a given'),
      Object.keys(more).join(),
    )
  t.end()
})

test('S8 S10 S13 S15: cold, stopped at once, on late engines the same', async t => {
  const { asked } = run()
  t.equal(asked(), 0, 'cold')
  const { values } = await whole(run({ engine: wasmEngine() }).frames$)
  const late = await whole(run({ engine: readingLate(wasmEngine()) }).frames$)
  t.deepEqual(late.values, values)
  t.ok(await S13.holds(run().frames$))
  t.notDeepEqual((await whole(run({ engine: wasmEngine(), noise: normal(key(2), 32) }).frames$)).values, values)
  const few = run({ engine: wasmEngine() })
  await whole(few.frames$.pipe(take(2)))
  const evaluated = few.asked()
  await settle()
  t.ok(few.asked() === evaluated && live(few.engine) === 0, `${evaluated} asked, then no more`)
  t.end()
})
