import fc from 'fast-check'
import test from 'tape'
import type { Denoiser } from '../../../operators/diffusion/denoiser.ts'
import { classifierFree } from '../../../operators/diffusion/guidance/classifierFree.ts'
import type { Level } from '../../../operators/diffusion/level.ts'
import { clean, noiseRatio, signalToNoise } from '../../../operators/diffusion/level.ts'
import { convert, type Parametrization, separate, targetOf } from '../../../operators/diffusion/parametrization.ts'
import { posterior } from '../../../operators/diffusion/posterior.ts'
import { forwardStep, qSample, transition } from '../../../operators/diffusion/qSample.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { ddpm } from '../../../operators/diffusion/sampler/ddpm.ts'
import { cosineSchedule } from '../../../operators/diffusion/schedule/cosineSchedule.ts'
import { flowSchedule } from '../../../operators/diffusion/schedule/flowSchedule.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt, type NoiseSchedule } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { explodingLevels, preservingLevels } from '../../../operators/diffusion/schedule/sigmaLevels.ts'
import { exponentialSigmas, karrasSigmas } from '../../../operators/diffusion/schedule/sigmas.ts'
import { sigmoidSchedule } from '../../../operators/diffusion/schedule/sigmoidSchedule.ts'
import { scheduleLevels, spacedTimes } from '../../../operators/diffusion/schedule/spacing.ts'
import { timeEmbedding } from '../../../operators/diffusion/timeEmbedding.ts'
import { add, scale, subtract } from '../../../src/kernel/binary.ts'
import { zeros } from '../../../src/kernel/fill.ts'
import { concat } from '../../../src/kernel/slice.ts'
import { square } from '../../../src/kernel/unary.ts'
import { key, normal } from '../../../src/random.ts'
import { type Axes, readNow, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { times } from '../../../src/tensor/times.ts'
import { X1, X2, X3, X4, X5, X6, X8, X10 } from '../../laws/diffusion.ts'
import { breaks, holds } from '../../property.ts'
import { engine, random } from '../support.ts'

const ascending = (schedule: NoiseSchedule): Level[] =>
  Array.from(schedule.alphaBars, (_, time) => levelAt(schedule, time))
const schedules = {
  linear: linearSchedule(),
  cosine: cosineSchedule(),
  sigmoid: sigmoidSchedule(),
  flow: flowSchedule(),
}
const exploding = explodingLevels(karrasSigmas(50, { most: 80, least: 0.002 }))
const flow = (t: number): Level => ({ time: t, alpha: 1 - t, sigma: t })
const kinds: readonly Parametrization[] = ['epsilon', 'x0', 'v', 'score', 'velocity']

/** A level of any path, away from its ends. */
const levels: fc.Arbitrary<Level> = fc.oneof(
  fc.integer({ min: 0, max: 999 }).map(t => levelAt(schedules.linear, t)),
  fc.integer({ min: 0, max: 990 }).map(t => levelAt(schedules.cosine, t)),
  fc.double({ min: 0.01, max: 0.99, noNaN: true }).map(flow),
  fc.integer({ min: 0, max: 49 }).map(i => exploding[i] ?? clean),
)
const seeds = fc.nat(1e6)
const preserving = fc.integer({ min: 0, max: 999 }).map(t => levelAt(schedules.linear, t))

test('X1 schedules: alpha² + sigma² = 1, alpha² and SNR decrease, published ends', t => {
  for (const [name, schedule] of Object.entries(schedules)) {
    const path = ascending(schedule)
    t.ok(X1.holds(path), name)
    const ratios = path.map(signalToNoise)
    t.ok(
      ratios.every((ratio, i) => i === 0 || ratio < (ratios[i - 1] ?? 0)),
      `${name}: SNR`,
    )
  }
  // DDPM, section 4 and appendix: ᾱ_T of the linear schedule is about 4e-5, so that the prior term is 1e-5 bits.
  const [first = 0, last = 0] = [schedules.linear.alphaBars[0], schedules.linear.alphaBars[999]]
  t.ok(first === 1 - 1e-4 && Math.abs(last - 4.0358e-5) < 1e-9, `linear: from ${first} to ${last}`)
  // Half-way of the cosine schedule ᾱ is f(1/2) / f(0).
  const f = (u: number) => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2
  t.ok(Math.abs((schedules.cosine.alphaBars[499] ?? 0) - f(0.5) / f(0)) < 1e-12, 'cosine: ᾱ(1/2)')
  t.ok(Math.abs((schedules.sigmoid.alphaBars[499] ?? 0) - 0.5) < 1e-12, 'sigmoid: ᾱ(1/2) = 1/2')
  t.ok(
    Math.abs(noiseRatio(levelAt(schedules.flow, 249)) - 1 / 3) < 1e-12,
    'flow: at a quarter of the way 1/4 noise to 3/4 data',
  )
  t.ok(Math.max(...schedules.cosine.betas, ...schedules.sigmoid.betas) === 0.999, 'betas are cut at 0.999')
  t.notOk(X1.holds([...exploding].reverse().slice(1)), 'control: exploding levels do not preserve variance')
  t.end()
})

test('Karras and exponential sigmas: ends, order, and the formula; levels of a schedule at given sigmas', t => {
  const karras = karrasSigmas(5, { most: 80, least: 0.002 })
  t.ok(Math.abs((karras[0] ?? 0) - 80) < 1e-9 && Math.abs((karras[4] ?? 0) - 0.002) < 1e-15)
  t.ok(Math.abs((karras[2] ?? 0) - ((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7) < 1e-12)
  const exponential = exponentialSigmas(3, { most: 100, least: 0.01 })
  t.ok(Math.abs((exponential[1] ?? 0) - 1) < 1e-12)
  // The schedule's own ratios have its own times.
  const own = [900, 500, 3].map(time => levelAt(schedules.linear, time))
  const found = preservingLevels(
    schedules.linear,
    own.map(({ alpha, sigma }) => sigma / alpha),
  )
  for (const [i, level] of own.entries()) {
    const { time, alpha, sigma } = found[i] ?? clean
    t.ok(
      Math.abs(time - level.time) < 1e-6 &&
        Math.abs(alpha - level.alpha) < 1e-12 &&
        Math.abs(sigma - level.sigma) < 1e-12,
    )
  }
  t.throws(() => karrasSigmas(0, { most: 1, least: 0.1 }), /count >= 1/)
  t.same(spacedTimes(1000, 4, 'leading'), [750, 500, 250, 0])
  t.same(spacedTimes(1000, 4, 'linspace'), [999, 749, 500, 250])
  t.same(spacedTimes(1000, 4, 'trailing'), [999, 749, 499, 249])
  t.throws(() => spacedTimes(10, 11, 'leading'), /from 1 to 10/)
  t.end()
})

test('X2 closed form: one-step kernels compose to it', t => {
  for (const schedule of Object.values(schedules)) t.ok(X2.holds([clean, ...ascending(schedule)], transition))
  t.ok(X2.holds([...exploding].reverse(), transition), 'exploding')
  t.ok(X2.holds([clean, flow(0.2), flow(0.5), flow(0.9)], transition), 'rectified flow')
  const betaOfNext = (from: Level, to: Level) => transition(from, levelAt(schedules.linear, Math.min(999, to.time + 1)))
  t.notOk(X2.holds([clean, ...ascending(schedules.linear)], betaOfNext), 'control: the next step’s beta')
  const { scale: a, variance } = transition(levelAt(schedules.linear, 499), levelAt(schedules.linear, 500))
  const beta = schedules.linear.betas[500] ?? 0
  t.ok(Math.abs(a - Math.sqrt(1 - beta)) < 1e-12 && Math.abs(variance - beta) < 1e-12, 'adjacent: √(1 - β), β')
  t.end()
})

test('X2 Monte-Carlo: 20 steps of noise have the closed form’s mean and variance', t => {
  const n = 20_000
  const path = [clean, ...ascending(linearSchedule(20, 1e-3, 0.3))]
  let x = tensor(engine, [n], new Float64Array(n).fill(1.5))
  for (let i = 1; i < path.length; i++) {
    const [from = clean, to = clean] = [path[i - 1], path[i]]
    x = forwardStep(x, tensor(engine, [n], normal(key(i), n)), from, to)
  }
  const { alpha, sigma } = path.at(-1) ?? clean
  const values = Array.from(readNow(x))
  const mean = values.reduce((sum, a) => sum + a, 0) / n
  const variance = values.reduce((sum, a) => sum + (a - mean) ** 2, 0) / n
  t.ok(Math.abs(mean - 1.5 * alpha) < (4 * sigma) / Math.sqrt(n), `mean ${mean}, ${1.5 * alpha}`)
  t.ok(Math.abs(variance / sigma ** 2 - 1) < 4 * Math.sqrt(2 / n), `variance ${variance}, ${sigma ** 2}`)
  t.end()
})

test('X3 posterior is Bayes-consistent on every path', t => {
  const pairs = fc.oneof(
    fc.tuple(fc.integer({ min: 1, max: 999 }), fc.integer({ min: 1, max: 999 })).map(([a, b]) => {
      const [low, high] = [Math.min(a, b) - 1, Math.max(a, b)]
      return [levelAt(schedules.linear, high), levelAt(schedules.linear, low)] as const
    }),
    fc.tuple(fc.integer({ min: 0, max: 49 }), fc.integer({ min: 1, max: 50 })).map(([i, d]) => {
      return [exploding[i] ?? clean, exploding[Math.min(50, i + d)] ?? clean] as const
    }),
    fc.double({ min: 0.1, max: 1, noNaN: true }).map(s => [flow(s), flow(s / 2)] as const),
  )
  const law = (f: typeof posterior) => fc.property(pairs, ([from, to]) => X3.holds(from, to, f))
  holds(t, 'X3', law(posterior))
  const withBeta = (from: Level, to: Level) => ({ ...posterior(from, to), variance: transition(to, from).variance })
  breaks(t, 'β for β̃', law(withBeta))
  // DDPM eq. 7 on adjacent levels.
  const { betas, alphaBars } = schedules.linear
  const [beta = 0, at = 0, before = 0] = [betas[300], alphaBars[300], alphaBars[299]]
  const q = posterior(levelAt(schedules.linear, 300), levelAt(schedules.linear, 299))
  t.ok(Math.abs(q.x0 - (Math.sqrt(before) * beta) / (1 - at)) < 1e-12)
  t.ok(Math.abs(q.x - (Math.sqrt(1 - beta) * (1 - before)) / (1 - at)) < 1e-12)
  t.ok(Math.abs(q.variance - ((1 - before) / (1 - at)) * beta) < 1e-12)
  t.end()
})

test('X4 parametrizations: a rotation, inverses, score = -ε/σ', t => {
  const rotation = (levelsOf: fc.Arbitrary<Level>) =>
    fc.property(levelsOf, seeds, (at, seed) => {
      const [x0, noise] = [random([2, 3], seed), random([2, 3], seed + 1)]
      return X4.rotates(x0, noise, qSample(x0, noise, at), targetOf('v', x0, noise, at))
    })
  holds(t, 'X4 rotation', rotation(preserving))
  breaks(t, 'not on a flow', rotation(fc.constant(flow(0.5))))
  const pairs = fc.tuple(fc.constantFrom(...kinds), fc.constantFrom(...kinds), levels, seeds)
  const inverse = (f: typeof convert) =>
    fc.property(pairs, ([from, to, at, seed]) =>
      X4.inverts(f, from, to, random([2, 3], seed), random([2, 3], seed + 1), at),
    )
  holds(t, 'X4 inverses', inverse(convert))
  breaks(
    t,
    'a conversion that forgets x',
    inverse((from, to, _, p, at) => convert(from, to, scale(p, 2), p, at)),
  )
  const at = levelAt(schedules.linear, 100)
  const [x, noise] = [random([4], 1), random([4], 2)]
  t.ok(X5.holds(scale(noise, -1 / at.sigma), convert('epsilon', 'score', x, noise, at)))
  t.throws(() => separate('epsilon', x, noise, flow(1)), /does not give x0/)
  t.end()
})

test('X5 predict_x0(q_sample(x0, t, ε), t, ε) = x0, one level or one for each row', t => {
  const law = (told: (at: Level) => Level) =>
    fc.property(fc.constantFrom(...kinds), levels, levels, seeds, (kind, at, other, seed) => {
      const [x0, noise] = [random([2, 3], seed), random([2, 3], seed + 1)]
      const recover = (where: Level | readonly Level[], said: Level | readonly Level[]): Tensor =>
        separate(kind, qSample(x0, noise, where), targetOf(kind, x0, noise, where), said).x0
      return X5.holds(x0, recover(at, told(at))) && X5.holds(x0, recover([at, other], [told(at), told(other)]))
    })
  holds(
    t,
    'X5',
    law(at => at),
  )
  breaks(
    t,
    'another level',
    law(({ alpha, sigma, time }) => ({ time, alpha, sigma: sigma + 0.1 })),
  )
  t.end()
})

test('X6 DDIM: lands on x0 with an oracle, composes, and eta 1 is ancestral', t => {
  const path = scheduleLevels(schedules.linear)
  const [x0, noise] = [random([3], 1), random([3], 2)]
  const fixed: Denoiser = () => ({ x0, noise, fraction: null })
  const oracle: Denoiser = (x, { alpha, sigma }) => ({
    x0,
    noise: scale(subtract(x, scale(x0, alpha)), 1 / sigma),
    fraction: null,
  })
  const subsequence = fc
    .uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 9 })
    .map(chosen => [...[...chosen].sort((a, b) => a - b).map(i => path[i] ?? clean), clean])
  const lands = (sampler: ReturnType<typeof ddim>) =>
    fc.property(subsequence, seeds, (some, seed) => X6.lands(sampler, oracle, random([3], seed), some, x0, key(seed)))
  holds(t, 'X6 lands', lands(ddim()))
  const off: Denoiser = (x, at) => ({ ...oracle(x, at), x0: scale(x0, 1.01) })
  t.notOk(X6.lands(ddim(), off, noise, [path[0] ?? clean, clean], x0, key(1)), 'control: a denoiser that is 1 % off')
  const composes = (sampler: ReturnType<typeof ddim>) =>
    fc.property(subsequence, some =>
      X6.composes(sampler, fixed, qSample(x0, noise, some[0] ?? clean), some.slice(0, -1), key(1)),
    )
  holds(t, 'X6 composes', composes(ddim()))
  breaks(t, 'eta 1 does not', composes(ddim({ eta: 1 })))
  const [from = clean, to = clean] = [path[400], path[401]]
  const step = (eta: number) => {
    const big = { x0: zeros(engine, [500]), noise: zeros(engine, [500]), fraction: null }
    const [moved] = ddim({ eta }).step([], { x: big.x0, from, to, key: key(3), denoiser: () => big })
    return X6.spreads(
      moved.sample,
      big.x0,
      Array.from(readNow(square(tensor(engine, [500], normal(key(3), 500))))).reduce((a, b) => a + b, 0) / 500,
      posterior(from, to).variance,
    )
  }
  t.ok(step(1), 'eta 1 spreads as β̃')
  t.notOk(step(0.5), 'control: eta 1/2')
  // One ancestral step is DDIM's with eta 1, given the same estimate of x and the same key.
  const x = qSample(x0, noise, from)
  const one = ddim({ eta: 1 }).step([], { x, from, to, key: key(5), denoiser: fixed })[0].sample
  const two = ddpm().step([], { x, from, to, key: key(5), denoiser: fixed })[0].sample
  t.ok(X5.holds(one, two), 'DDIM with eta 1 = DDPM')
  t.end()
})

test('X8 classifier-free guidance: 0, 1, affine', t => {
  const at = levelAt(schedules.linear, 500)
  const conditional = (x: Tensor) => scale(x, 2)
  const unconditional = (x: Tensor) => add(x, x)
  const law = (guide: typeof classifierFree) =>
    fc.property(seeds, fc.double({ min: -2, max: 9, noNaN: true }), (seed, w) =>
      X8.holds(guide, x => square(conditional(x)), unconditional, random([2, 3], seed), at, w),
    )
  holds(t, 'X8', law(classifierFree))
  breaks(
    t,
    'w²',
    law((c, u, w) => classifierFree(c, u, typeof w === 'number' ? w * w : w)),
  )
  const x = random([2, 3], 7)
  const learning = (says: (x: Tensor) => Tensor) => (y: Tensor) => concat<Axes>([says(y), square(says(y))], 1)
  const whole = classifierFree(learning(conditional), learning(square), 3)(x, at)
  const apart = concat<Axes>([classifierFree(conditional, square, 3)(x, at), square(conditional(x))], 1)
  t.same([...readNow(whole)], [...readNow(apart)], "a learnt variance is the conditional's")
  const asked: string[] = []
  const told = (name: string) => (x: Tensor) => {
    asked.push(name)
    return x
  }
  const inside = classifierFree(told('c'), told('u'), ({ sigma }) => (sigma > 0.5 ? 3 : 1))
  inside(random([2], 1), { time: 0, alpha: 0.6, sigma: 0.8 })
  inside(random([2], 1), { time: 0, alpha: 0.9, sigma: 0.4 })
  t.same(asked, ['u', 'c', 'c'], 'a weight by level; weight 1 asks one model')
  t.end()
})

test('X10 time embedding: injective on 0 … T', t => {
  const all = times(Float64Array.from({ length: 1000 }, (_, i) => i))
  t.ok(X10.holds(timeEmbedding(engine, all, { width: 64 })))
  t.notOk(X10.holds(timeEmbedding(engine, all, { width: 2, scale: 2 * Math.PI })), 'control: whole turns')
  t.throws(() => timeEmbedding(engine, all, { width: 3 }), /odd/)
  t.end()
})
