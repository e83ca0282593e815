/** The bound on Gaussian data, whose own likelihood is known: above it, and nearer with more steps. Laws S8, S13, S15. */
import { lastValueFrom, take } from 'rxjs'
import test from 'tape'
import type { Denoiser } from '../../../operators/diffusion/denoiser.ts'
import { bitsPerDimension, decoderTerm } from '../../../operators/diffusion/loss/variationalBound.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { noiseSchedule } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { type VariationalBoundOptions, variationalBound } from '../../../pipelines/diffusion/variationalBound.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { full } from '../../../src/kernel/fill.ts'
import { key, normal } from '../../../src/random.ts'
import { readNow } from '../../../src/tensor/tensor.ts'
import { gaussianDenoiser } from '../../laws/diffusion.ts'
import { S13, S15, settle, whole } from '../../laws/streams.ts'
import { live, readingLate } from '../support.ts'

const [MEAN, DEVIATION] = [0.2, 0.3]
const bins = { width: 2 / 255, least: -1, most: 1 }
const shape = [64, 64]
const size = 64 * 64
/** In bins. */
const data = normal(key(1), size).map(
  z => -1 + (2 / 255) * Math.round((255 / 2) * (Math.max(-1, Math.min(1, MEAN + DEVIATION * z)) + 1)),
)
const exact = bitsPerDimension(
  decoderTerm(data, new Float64Array(size).fill(MEAN), () => DEVIATION ** 2, bins),
  size,
)

/** The chain of `count` steps that ends in the same noise. */
const scheduleOf = (count: number) => linearSchedule(count, 0.1 / count, 20 / count)

const bound = (own: Partial<VariationalBoundOptions> = {}) => {
  const engine = own.engine ?? referenceEngine()
  let asked = 0
  const estimate = own.denoiser ?? gaussianDenoiser(MEAN, DEVIATION)
  const options: VariationalBoundOptions = {
    shape,
    data,
    bins,
    schedule: scheduleOf(50),
    variance: 'transition',
    ...own,
    engine,
    denoiser: (x, at) => {
      asked++
      return estimate(x, at)
    },
  }
  return { engine, terms$: variationalBound(options), asked: () => asked }
}
const bitsOf = async (own: Partial<VariationalBoundOptions> = {}) => (await lastValueFrom(bound(own).terms$)).bits

test('the bound is above the likelihood, and nearer to it the more steps', async t => {
  const gaps: number[] = []
  for (const count of [25, 50, 100]) gaps.push((await bitsOf({ schedule: scheduleOf(count) })) - exact)
  const [a = 0, b = 0, c = 0] = gaps
  const show = gaps.map(x => x.toFixed(3)).join(', ')
  t.ok(c > 0 && b > c && a > b, `${exact.toFixed(3)} bits and ${show} more`)
  t.ok(
    (await bitsOf({ denoiser: gaussianDenoiser(MEAN + 0.1, DEVIATION) })) > exact + b + 0.01,
    'control: another mean',
  )
  // Its own f: 1 is the transition's variance.
  const learned =
    (fraction: number): Denoiser =>
    (x, at) => ({
      ...gaussianDenoiser(MEAN, DEVIATION)(x, at),
      fraction: full(x.engine, x.shape, fraction),
    })
  // But for the decoder's, the last term.
  const steps = async (own: Partial<VariationalBoundOptions>) => (await whole(bound(own).terms$)).values.slice(0, -1)
  t.deepEqual(
    (await steps({ variance: 'learned', denoiser: learned(1) })).map(({ bits }) => bits.toFixed(9)),
    (await steps({ variance: 'transition' })).map(({ bits }) => bits.toFixed(9)),
    'learned: f = 1',
  )
  t.equal(
    await bitsOf({ variance: 'learned', denoiser: learned(0) }),
    await bitsOf({ variance: 'posterior' }),
    'learned: f = 0',
  )
  t.end()
})

test('each term as the code of Ho et al. and of Nichol & Dhariwal computes it, whichever the variance', async t => {
  // gaussian_diffusion.py, improved-diffusion: GaussianDiffusion.__init__, p_mean_variance, _vb_terms_bpd.
  const schedule = linearSchedule(6, 0.01, 0.5)
  const betas = [...schedule.betas]
  const barAt = (t: number): number => betas.slice(0, t + 1).reduce((product, beta) => product * (1 - beta), 1)
  const posteriorVariance = betas.map((beta, t) => (beta * (1 - barAt(t - 1))) / (1 - barAt(t)))
  const clipped = [posteriorVariance[1] ?? 0, ...posteriorVariance.slice(1)]
  const large = [posteriorVariance[1] ?? 0, ...betas.slice(1)]
  const fraction = 0.3
  const variances = {
    posterior: clipped,
    transition: large,
    learned: betas.map((beta, t) => Math.exp(fraction * Math.log(beta) + (1 - fraction) * Math.log(clipped[t] ?? 0))),
  }
  const [mean, deviation] = [MEAN + 0.1, 0.4]
  const engine = referenceEngine()
  const denoised: { readonly time: number; readonly x0: Float64Array }[] = []
  const denoiser: Denoiser = (x, at) => {
    const estimate = gaussianDenoiser(mean, deviation)(x, at)
    denoised.push({ time: at.time, x0: Float64Array.from(readNow(estimate.x0)) })
    return { ...estimate, fraction: full(x.engine, x.shape, fraction) }
  }
  for (const variance of ['posterior', 'transition', 'learned'] as const) {
    denoised.length = 0
    const { values } = await whole(variationalBound({ engine, shape, data, bins, schedule, denoiser, variance }))
    const published = denoised.map(({ time, x0 }) => {
      const logVariance = Math.log(variances[variance][time] ?? 0)
      const share = (betas[time] ?? 0) * (Math.sqrt(barAt(time - 1)) / (1 - barAt(time)))
      let sum = 0
      for (const [i, x] of data.entries()) {
        const guess = x0[i] ?? 0
        if (time === 0) sum += decoderTerm([x], [guess], () => Math.exp(logVariance), bins)
        else {
          const log1 = Math.log(clipped[time] ?? 0)
          const apart = (share * (x - guess)) ** 2
          sum += 0.5 * (-1 + logVariance - log1 + Math.exp(log1 - logVariance) + apart * Math.exp(-logVariance))
        }
      }
      return sum / (shape[0] ?? 1)
    })
    t.equal(published.length, 6)
    const terms = values.slice(1).map(({ term }) => term)
    const far = published.map((term, i) => Math.abs(term - (terms[i] ?? 0)) / Math.abs(term))
    t.ok(Math.max(...far) < 1e-9, `${variance}: ${published.map(term => term.toFixed(3)).join(', ')}`)
  }
  t.ok(Number.isFinite(await bitsOf({ schedule: noiseSchedule([0.5]), variance: 'posterior' })), 'a chain of one step')
  t.end()
})

test('S8 S10 S13 S15: a term an evaluation, cold, stopped at once, on late engines the same', async t => {
  const { engine, terms$, asked } = bound({ engine: wasmEngine(), schedule: scheduleOf(25) })
  t.equal(asked(), 0)
  const { values } = await whole(terms$)
  t.deepEqual(
    values.map(({ steps }) => steps),
    Array.from({ length: 26 }, (_, i) => i),
  )
  t.equal(asked(), 25, 'the prior asks nothing')
  const sum = values.reduce((total, { term }) => total + term, 0)
  t.ok(Math.abs(bitsPerDimension(sum, 64) - (values.at(-1)?.bits ?? 0)) < 1e-9)
  t.ok(S15.holds(engine.counter))
  t.ok(await S13.holds(bound({ schedule: scheduleOf(25) }).terms$))
  const late = await whole(bound({ engine: readingLate(wasmEngine()), schedule: scheduleOf(25) }).terms$)
  t.deepEqual(late.values, values)
  t.notDeepEqual(
    (await whole(bound({ engine: wasmEngine(), schedule: scheduleOf(25), seed: 2 }).terms$)).values,
    values,
  )
  const few = bound({ schedule: scheduleOf(25) })
  await whole(few.terms$.pipe(take(3)))
  await settle()
  t.ok(few.asked() <= 3 && live(few.engine) === 0)
  t.end()
})
