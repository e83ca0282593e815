/** Losses and bounds: weights that agree across parametrizations, D4, and divergences against sums done by hand. */
import fc from 'fast-check'
import test from 'tape'
import { hybridLoss } from '../../../operators/diffusion/loss/hybridLoss.ts'
import { lossWeight, type Weighting } from '../../../operators/diffusion/loss/lossWeight.ts'
import { squaredError } from '../../../operators/diffusion/loss/squaredError.ts'
import {
  bitsPerDimension,
  decoderTerm,
  gaussianDivergence,
  priorTerm,
  stepTerm,
} from '../../../operators/diffusion/loss/variationalBound.ts'
import { convert, type Parametrization, targetOf } from '../../../operators/diffusion/parametrization.ts'
import { posterior } from '../../../operators/diffusion/posterior.ts'
import { qSample, transition } from '../../../operators/diffusion/qSample.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { slerp } from '../../../operators/diffusion/slerp.ts'
import { context } from '../../../src/context.ts'
import { concat } from '../../../src/kernel/slice.ts'
import { key, normal } from '../../../src/random.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { within } from '../../laws/check.ts'
import { finiteDifference } from '../../laws/operator.ts'
import { breaks, holds } from '../../property.ts'
import { engine, numbers, random, seeds, sum } from '../support.ts'

const schedule = linearSchedule()
const levels = fc.integer({ min: 1, max: 999 }).map(t => levelAt(schedule, t))
const kinds: readonly Parametrization[] = ['epsilon', 'x0', 'v']
const weightings: readonly Weighting[] = ['snr', 'truncatedSnr', 'minSnr']
const c = context({})
const near = (x: number, y: number, tolerance = 1e-9): boolean => Math.abs(x - y) <= tolerance * (1 + Math.abs(y))

test('loss weights: one model has one loss, whatever it is said to predict; D4 of the squared error', t => {
  const lossOf = (
    kind: Parametrization,
    weighting: Weighting,
    at: ReturnType<typeof levelAt>,
    seed: number,
  ): number => {
    const [x0, noise, guess] = [random([2, 3], seed), random([2, 3], seed + 1), random([2, 3], seed + 2)]
    const x = qSample(x0, noise, at)
    const prediction = convert('x0', kind, x, guess, at)
    const weight = lossWeight(kind, weighting, at)
    return numbers(squaredError(targetOf(kind, x0, noise, at), [weight, weight])(c, prediction).value)[0] ?? Number.NaN
  }
  const agrees = (of: readonly Weighting[]) =>
    fc.property(levels, seeds, fc.constantFrom(...of), (at, seed, weighting) =>
      kinds.every(kind => near(lossOf(kind, weighting, at, seed), lossOf('x0', weighting, at, seed), 1e-6)),
    )
  holds(t, 'snr, truncated, min-SNR', agrees(weightings))
  breaks(t, 'the plain squared error', agrees(['simple']))
  const at = levelAt(schedule, 500)
  const snr = (at.alpha / at.sigma) ** 2
  t.ok(near(lossWeight('epsilon', 'snr', at), 1), 'of ε the SNR weighting is the plain loss')
  t.ok(
    near(
      lossWeight('epsilon', 'minSnr', levelAt(schedule, 50)),
      5 * (1 / (levelAt(schedule, 50).alpha / levelAt(schedule, 50).sigma) ** 2),
    ),
    'min-SNR of ε: γ / SNR',
  )
  t.ok(near(lossWeight('v', 'minSnr', at), Math.min(snr, 5) / (snr + 1)), 'of v: min(SNR, γ) / (SNR + 1)')
  within(t, 'D4 squared error', finiteDifference(squaredError(random([2, 3], 1), [0.5, 2]), c, random([2, 3], 2)))
  t.end()
})

test('learned variance: the loss is the simple one and the divergence of Gaussians; each half learns its own', t => {
  const steps = [levelAt(schedule, 700), levelAt(schedule, 30), levelAt(schedule, 0)].map((from, i) => ({
    from,
    to: levelAt(schedule, [699, 20, -1][i] ?? 0),
  }))
  const [x0, noise] = [random([3, 2], 1), random([3, 2], 2)]
  const from = steps.map(step => step.from)
  const x = qSample(x0, noise, from)
  const target = targetOf('epsilon', x0, noise, from)
  const [predicted, v] = [random([3, 2], 3), random([3, 2], 4, 0.5)]
  const output = concat<readonly ['batch', 'channel']>([predicted, v], 1)
  const loss = (weight: number) => hybridLoss(target, { prediction: 'epsilon', steps, weight })
  const found = numbers(loss(2)(c, output).value)[0] ?? Number.NaN
  // By hand, from the means of the two Gaussians.
  const estimate = convert('epsilon', 'x0', x, predicted, from)
  let simple = 0
  let bound = 0
  for (const [row, step] of steps.entries())
    for (let i = 2 * row; i < 2 * row + 2; i++) {
      simple += ((numbers(predicted)[i] ?? 0) - (numbers(target)[i] ?? 0)) ** 2
      if (step.to.sigma === 0) continue
      const q = posterior(step.from, step.to)
      const f = ((numbers(v)[i] ?? 0) + 1) / 2
      const variance = Math.exp(f * Math.log(transition(step.to, step.from).variance) + (1 - f) * Math.log(q.variance))
      const apart = q.x0 * ((numbers(x0)[i] ?? 0) - (numbers(estimate)[i] ?? 0))
      bound += gaussianDivergence(apart ** 2, q.variance, variance)
    }
  const bits = bound / Math.LN2
  t.ok(near(found, simple / 6 + (2 * bits) / 6, 1e-7), `${found}, ${simple / 6 + bits / 3}`)
  const half = (weight: number, which: 0 | 1): readonly number[] => {
    const { pullback } = loss(weight)(c, output)
    const rows = numbers(pullback(tensor(engine, [], [1]))[1])
    return rows.filter((_, i) => Math.floor((i % 4) / 2) === which)
  }
  t.deepEqual(half(0, 0), half(5, 0), 'the bound does not move the mean')
  t.ok(half(0, 1).every(x => x === 0) && half(5, 1).some(x => x !== 0), 'nor the simple loss the variance')
  t.ok(
    half(5, 1)
      .slice(4)
      .every(x => x === 0),
    'the step to clean data teaches no variance',
  )
  // D4 along the variance: the prediction's own derivative is L_simple's alone, so it is fixed here.
  const ofVariance = (context: typeof c, value: typeof v) => {
    const result = loss(2)(context, concat<readonly ['batch', 'channel']>([predicted, value], 1))
    return {
      value: result.value,
      state: {},
      saved: result.saved,
      pullback: (d: typeof result.value) => {
        const [gradients, dx] = result.pullback(d)
        return [
          gradients,
          tensor<readonly ['batch', 'channel']>(
            engine,
            [3, 2],
            numbers(dx).filter((_, i) => i % 4 >= 2),
          ),
        ] as const
      },
    }
  }
  within(t, 'D4 of the variance', finiteDifference(ofVariance, c, v.share<readonly ['batch', 'channel']>()))
  within(t, 'D4 of the mean', finiteDifference(loss(0), c, output))
  t.end()
})

test('variational bound: divergences by their definition, bins that sum to 1, no bits for nothing', t => {
  t.ok(near(gaussianDivergence(0, 2, 2), 0) && gaussianDivergence(0, 1, 2) > 0 && gaussianDivergence(1, 2, 2) > 0)
  // KL(N(m, v) ‖ N(0, w)) as an integral.
  const [m, v, w] = [0.4, 0.5, 1.3]
  const density = (x: number, mean: number, variance: number) =>
    Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance)
  let integral = 0
  for (let x = -8; x < 8; x += 1e-3) {
    const p = density(x, m, v)
    integral += 1e-3 * p * Math.log(p / density(x, 0, w))
  }
  t.ok(near(gaussianDivergence(m ** 2, v, w), integral, 1e-6))
  const last = levelAt(schedule, 999)
  t.ok(bitsPerDimension(priorTerm([0.5, -1], last), 2) < 1e-4, 'DDPM, section 4: almost nothing of the data is left')
  t.ok(priorTerm([0.5, -1], levelAt(schedule, 100)) > 0.1, 'control: of a level half-way much is')
  const bins = { width: 2 / 3, least: -1, most: 1 }
  const shares = [-1, -1 / 3, 1 / 3, 1].map(x => Math.exp(-decoderTerm([x], [0.2], () => 0.25, bins)))
  t.ok(near(sum(shares), 1, 1e-12), 'the bins share out all probability')
  const [from, to] = [levelAt(schedule, 500), levelAt(schedule, 499)]
  t.equal(stepTerm([1, 2], [1, 2], from, to), 0, 'a right x0 costs nothing')
  t.ok(stepTerm([1, 2], [1, 2], from, to, () => transition(to, from).variance) > 0, 'control: with another variance')
  t.ok(near(bitsPerDimension(Math.log(2) * 12, 3), 4))
  t.throws(() => stepTerm([1], [1, 2], from, to), /1 and 2 numbers/)
  t.end()
})

test('slerp keeps the length of noise, meets both ends, and turns evenly', t => {
  const [x, y] = [normal(key(1), 500), normal(key(2), 500)]
  const norm = (z: ArrayLike<number>): number => Math.hypot(...Array.from(z))
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).reduce((total, value, i) => total + value * (b[i] ?? 0), 0)
  t.ok(near(norm(slerp(x, y, 0)), norm(x)) && near(dot(slerp(x, y, 1), y), norm(y) ** 2))
  const unit = Float64Array.from(y, value => (value * norm(x)) / norm(y))
  const between = [0.25, 0.5, 0.75].map(s => slerp(x, unit, s))
  t.ok(
    between.every(z => near(norm(z), norm(x), 1e-9)),
    'on the sphere',
  )
  t.notOk(near(norm(x.map((a, i) => (a + (unit[i] ?? 0)) / 2)), norm(x), 0.1), 'control: a straight line leaves it')
  const [a, b, d] = between
  const angle = (p: ArrayLike<number> = [], q: ArrayLike<number> = []) => Math.acos(dot(p, q) / (norm(p) * norm(q)))
  t.ok(near(angle(x, a), angle(a, b), 1e-6) && near(angle(b, d), angle(d, unit), 1e-6), 'equal angles')
  t.ok(near(norm(slerp([1, 2], [2, 4], 0.5)), 1.5 * Math.hypot(1, 2)), 'parallel: straight')
  t.throws(() => slerp([1], [1, 2], 0.5), /1 and 2 numbers/)
  t.end()
})
