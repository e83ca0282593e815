/** The reverse process as a stream: laws X10, S8, S10, S11, S13, S14, S15, S16 on `denoise` itself, changes half-way, and where it starts. */
import fc from 'fast-check'
import { lastValueFrom, Observable, Subject, take, tap } from 'rxjs'
import test from 'tape'
import { type Denoiser, denoiser } from '../../../operators/diffusion/denoiser.ts'
import { partialLevels } from '../../../operators/diffusion/partialLevels.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { ddpm } from '../../../operators/diffusion/sampler/ddpm.ts'
import { dpmSolver } from '../../../operators/diffusion/sampler/dpmSolver.ts'
import { heun } from '../../../operators/diffusion/sampler/probabilityFlow.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { scheduleLevels } from '../../../operators/diffusion/schedule/spacing.ts'
import { type DenoiseOptions, denoise, type Frame } from '../../../pipelines/diffusion/denoise.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { NumericError } from '../../../src/errors.ts'
import { scale } from '../../../src/kernel/binary.ts'
import { unary } from '../../../src/kernel/unary.ts'
import { gaussianDenoiser } from '../../laws/diffusion.ts'
import { S13, S15, S16, same, settle, whole } from '../../laws/streams.ts'
import { live, readingLate } from '../support.ts'

const STEPS = 12
const levels = scheduleLevels(linearSchedule(), STEPS, { spacing: 'trailing' })
const samplers: readonly (readonly [string, Sampler])[] = [
  ['ddim', ddim()],
  ['ddpm', ddpm()],
  ['dpmSolver', dpmSolver],
  ['heun', heun],
]

/** A run with a non-linear model that counts its evaluations. */
const counting = (own: Partial<DenoiseOptions> = {}) => {
  let evaluations = 0
  const engine = own.engine ?? wasmEngine()
  const options: DenoiseOptions = {
    shape: [2, 1, 3, 3],
    levels,
    sampler: ddpm(),
    seed: 7,
    denoiser: denoiser(
      (x, { time }) => {
        evaluations++
        return unary('tanh', scale(x, 0.5 + time / 1000))
      },
      { prediction: 'epsilon', clip: 1 },
    ),
    ...own,
    engine,
  }
  return { engine, frames$: denoise(options), evaluations: () => evaluations }
}
const frames = async (own: Partial<DenoiseOptions> = {}) => (await whole(counting(own).frames$)).values
const plain = ({ sample, predictedX0, ...rest }: Frame) => ({
  ...rest,
  sample: Array.from(sample),
  predictedX0: Array.from(predictedX0),
})

test('denoise emits a frame a step, ends on clean data, and costs one evaluation a step (S8)', async t => {
  for (const [name, sampler] of samplers) {
    const { engine, frames$, evaluations } = counting({ sampler })
    t.equal(evaluations(), 0)
    const { values, ends } = await whole(frames$)
    t.same(
      values.map(({ step, steps }) => [step, steps]),
      Array.from({ length: STEPS }, (_, i) => [i + 1, STEPS]),
    )
    t.same(
      values.map(({ sigma }) => sigma),
      levels.slice(1).map(({ sigma }) => sigma),
      name,
    )
    t.same(ends, ['complete'])
    t.ok(S15.holds(engine.counter), `${name}: S15`)
    t.equal(evaluations(), name === 'heun' ? 2 * STEPS - 1 : STEPS)
    t.same(values.at(-1)?.shape, [2, 1, 3, 3])
    t.ok(values.every(({ sample }) => sample.length === 18 && sample.every(Number.isFinite)))
  }
  const { frames$, evaluations } = counting()
  await whole(frames$.pipe(take(3)))
  await settle()
  t.equal(evaluations(), 3, 'take(3) costs 3')
  t.end()
})

test('X10 S10 S15 unsubscribing at any frame, engine and sampler stops kernels and frees everything', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: STEPS }),
      fc.constantFrom(...samplers),
      fc.boolean(),
      fc.nat(4),
      async (at, [, sampler], late, turns) => {
        const { engine, frames$, evaluations } = counting({
          sampler,
          engine: late ? readingLate(wasmEngine()) : wasmEngine(),
        })
        let seen = 0
        const stopped = await new Promise<number>(resolve => {
          const subscription = frames$.subscribe(() => {
            if (++seen !== at) return
            const stop = (): void => {
              subscription.unsubscribe()
              resolve(engine.counter.launches)
            }
            if (turns === 0) stop()
            else void settle(turns).then(stop)
          })
        })
        const [count, evaluated] = [seen, evaluations()]
        await settle(10)
        return (
          seen === count &&
          evaluations() === evaluated &&
          engine.counter.launches === stopped &&
          S15.holds(engine.counter)
        )
      },
    ),
    { numRuns: 40 },
  )
  const { engine, frames$ } = counting()
  await lastValueFrom(frames$.pipe(take(2)))
  const { launches } = engine.counter
  void whole(frames$)
  await settle(3)
  t.ok(engine.counter.launches > launches, 'control: a run that nobody stopped goes on')
  t.end()
})

test('S11 demand: a credit is a frame', async t => {
  const demand$ = new Subject<number>()
  const { frames$, evaluations } = counting({ demand$ })
  const seen: number[] = []
  const subscription = frames$.subscribe(({ step }) => seen.push(step))
  await settle()
  t.equal(evaluations(), 0, 'no credit, no step')
  demand$.next(2)
  await settle()
  t.same([seen, evaluations()], [[1, 2], 2])
  demand$.next(100)
  await settle()
  t.equal(seen.length, STEPS)
  subscription.unsubscribe()
  t.end()
})

test('S13 S16 R4 one seed, one run: for every subscriber, demand, batch and late engine; random bits equal on every engine', async t => {
  t.ok(await S13.holds(counting().frames$))
  t.ok(await S16.holds(counting().frames$))
  const all = (await frames()).map(plain)
  t.ok(same((await frames({ engine: readingLate(wasmEngine()) })).map(plain), all), 'late reads')
  t.notOk(same((await frames({ seed: 8 })).map(plain), all), 'control: another seed')
  const one = (await frames({ shape: [1, 1, 3, 3] })).at(-1)
  t.ok(same(Array.from(one?.sample ?? []), all.at(-1)?.sample.slice(0, 9)), 'a row does not know its neighbours')
  const reference = (await frames({ engine: referenceEngine() })).at(-1)
  const apart = Math.max(
    ...(all.at(-1)?.sample ?? []).map((x, i) => Math.abs(x - (reference?.sample[i] ?? Number.NaN))),
  )
  t.ok(apart < 1e-4, `f32 and f64 end ${apart} apart`)
  t.end()
})

test('S14 errors in model, sampler, changes: once, after the frames before, and nothing is left', async t => {
  let count = 0
  const failing: Denoiser = (x, at) => {
    if (++count === 4) throw new Error('bad model')
    return gaussianDenoiser(0, 1)(x, at)
  }
  const { engine, frames$ } = counting({ denoiser: failing })
  const { values, ends, errors } = await whole(frames$)
  t.same([values.length, ends, errors], [3, ['error'], [new Error('bad model')]])
  t.equal(live(engine), 0)
  const astray = counting({ denoiser: (x, at) => gaussianDenoiser(0, at.time > 500 ? 1 : Number.NaN)(x, at) })
  const lost = await whole(astray.frames$)
  t.ok(lost.values.length > 0 && lost.errors[0] instanceof NumericError, `${lost.errors[0]}`)
  t.equal(live(astray.engine), 0)
  const changes$ = new Observable<never>(out => out.error(new Error('bad change')))
  const changed = counting({ changes$ })
  t.same((await whole(changed.frames$)).errors, [new Error('bad change')])
  t.equal(live(changed.engine), 0)
  t.throws(() => counting({ levels: levels.slice(0, 1) }), /at least two/)
  t.end()
})

test('a sampler, and guidance, can be swapped while it runs; made at a frame, the change replays', async t => {
  const swapped = (sampler: Sampler, at: number) => {
    const changes$ = new Subject<{ readonly sampler: Sampler }>()
    return counting({ sampler: ddim(), changes$ }).frames$.pipe(
      tap(({ step }) => {
        if (step === at) changes$.next({ sampler })
      }),
    )
  }
  const half = await whole(swapped(dpmSolver, 6))
  const [all, solver] = [await frames({ sampler: ddim() }), await frames({ sampler: dpmSolver })]
  t.ok(same(half.values.slice(0, 6).map(plain), all.slice(0, 6).map(plain)), 'the first half is DDIM')
  // A first step of DPM-Solver++ is DDIM's, up to the clipped x0 that the two use differently: they part later at the latest.
  t.notOk(same(half.values.slice(8).map(plain), all.slice(8).map(plain)), 'the second is not')
  t.notOk(same(half.values.at(-1), solver.at(-1)), 'nor DPM-Solver++ throughout')
  t.ok(same((await whole(swapped(dpmSolver, 6))).values.map(plain), half.values.map(plain)), 'again, the same')
  t.ok(same((await whole(swapped(ddim(), 6))).values.map(plain), all.map(plain)), 'control: a swap for the same')
  const changes$ = new Subject<{ readonly denoiser: Denoiser }>()
  const { engine, frames$ } = counting({ changes$, sampler: dpmSolver })
  const end = await lastValueFrom(
    frames$.pipe(tap(({ step }) => step === 3 && changes$.next({ denoiser: gaussianDenoiser(0.5, 1e-3) }))),
  )
  t.ok(
    end.sample.every(x => Math.abs(x - 0.5) < 0.01),
    'another denoiser leads elsewhere',
  )
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('starts: data at a strength, given noise, strength 0 and 1', async t => {
  const data = Float64Array.from({ length: 18 }, (_, i) => i / 18)
  const few = partialLevels(levels, 0.25)
  t.equal(few.length, 4)
  const noise = new Float64Array(18)
  const kept = (
    await frames({ levels: few, init: data, noise, sampler: ddim(), denoiser: gaussianDenoiser(0, 1e4) })
  ).at(-1)
  t.ok(
    kept?.sample.every((x, i) => Math.abs(x - (data[i] ?? 0)) < 1e-5),
    'a prior that knows nothing gives back what it was given',
  )
  t.notOk(same((await frames({ levels: few, init: data })).at(-1), kept), 'control: noise and a model')
  t.equal(partialLevels(levels, 1).length, levels.length)
  t.equal(partialLevels(levels, 0).length, 1)
  t.equal(partialLevels(levels, 0.01).length, 2, 'a little is a step')
  t.throws(() => partialLevels(levels, 1.2), /strength/)
  const still = (await frames({ noise, sampler: ddim(), denoiser: gaussianDenoiser(0, 1) })).at(-1)
  t.ok(still?.sample.every(x => x === 0))
  t.end()
})
