/** X7: with Gaussian data the exact denoiser is known, so every sampler must give back the data's mean and variance; ODE solvers at their order. */
import test from 'tape'
import type { Denoiser } from '../../../operators/diffusion/denoiser.ts'
import { clean, type Level } from '../../../operators/diffusion/level.ts'
import { posterior } from '../../../operators/diffusion/posterior.ts'
import { transition } from '../../../operators/diffusion/qSample.ts'
import { annealedLangevin } from '../../../operators/diffusion/sampler/annealedLangevin.ts'
import { consistency } from '../../../operators/diffusion/sampler/consistency.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { ddpm } from '../../../operators/diffusion/sampler/ddpm.ts'
import { dpmSolver } from '../../../operators/diffusion/sampler/dpmSolver.ts'
import { inpaint } from '../../../operators/diffusion/sampler/inpaint.ts'
import { predictorCorrector } from '../../../operators/diffusion/sampler/predictorCorrector.ts'
import { euler, heun } from '../../../operators/diffusion/sampler/probabilityFlow.ts'
import { eulerMaruyama } from '../../../operators/diffusion/sampler/reverseSde.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { explodingLevels } from '../../../operators/diffusion/schedule/sigmaLevels.ts'
import { exponentialSigmas, karrasSigmas } from '../../../operators/diffusion/schedule/sigmas.ts'
import { scheduleLevels } from '../../../operators/diffusion/schedule/spacing.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { full } from '../../../src/kernel/fill.ts'
import { fold, key, normal } from '../../../src/random.ts'
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { descend, gaussianDenoiser, X5, X7 } from '../../laws/diffusion.ts'
import { orderOf, sharpness, weakSharpness } from './gaussian.ts'

const MEAN = 0.7
const DEVIATION = 0.5
const ROWS = 256
const COLUMNS = 64
const engine = wasmEngine()
const exact = gaussianDenoiser(MEAN, DEVIATION)

const preserving = scheduleLevels(linearSchedule(), 250, { spacing: 'trailing' })
const exploding = explodingLevels(karrasSigmas(200, { most: 80, least: 0.01 }))
const flow: Level[] = Array.from({ length: 201 }, (_, i) => ({ time: 1 - i / 200, alpha: i / 200, sigma: 1 - i / 200 }))

/** Starts where the path starts: exploding noise also carries the data's own mean and variance. */
const startOf = ({ alpha, sigma }: Level): Tensor => {
  const spread = Math.hypot(sigma, alpha * DEVIATION)
  return tensor(
    engine,
    [ROWS, COLUMNS],
    normal(key(17), ROWS * COLUMNS).map(z => alpha * MEAN + spread * z),
  )
}

const returns = (sampler: Sampler, levels: readonly Level[], denoiser: Denoiser, discretization: number): boolean =>
  X7.holds(descend(sampler, denoiser, startOf(levels[0] ?? clean), levels, key(5)), MEAN, DEVIATION, discretization)

/**
 * What steps of a first-order method leave of the variance: a share of at most FIRST / steps on these paths. (With x̂0 in the place of x0 a reverse step of finite
 * size lacks the spread of x0 given x; `exactly` below has it.) Heun's and DPM-Solver's is below the sampling error.
 */
const FIRST = 15
const samplers: readonly (readonly [string, Sampler, readonly (readonly Level[])[], number])[] = [
  ['ddpm', ddpm(), [preserving, exploding, flow], FIRST],
  ['ddpm, larger variance', ddpm({ variance: 'transition' }), [preserving, exploding, flow], FIRST],
  ['ddim', ddim(), [preserving, exploding, flow], FIRST],
  ['ddim, eta 1/2', ddim({ eta: 0.5 }), [preserving, exploding, flow], FIRST],
  ['euler', euler, [preserving, exploding, flow], FIRST],
  ['heun', heun, [preserving, exploding, flow], 0],
  ['dpmSolver', dpmSolver, [preserving, exploding, flow], 0],
  ['eulerMaruyama', eulerMaruyama, [preserving, exploding], FIRST],
  // A correction's own dynamics rest at a variance of 1 + snr².
  ['predictorCorrector', predictorCorrector({ snr: 0.05 }), [preserving, exploding], FIRST],
  [
    'annealedLangevin',
    annealedLangevin({ rate: 2e-3, least: 0.1, repeats: 30 }),
    [explodingLevels(exponentialSigmas(20, { most: 10, least: 0.1 }))],
    // Of x before the last estimate: sigma² = 0.01 beside 0.25, half of it gone with x̂0.
    20 * 0.04,
  ],
]

/** Ancestral sampling with the reverse step's true variance, β̃ + c² Var(x0 | x): exact at any number of steps. */
const exactly: Denoiser = (x, at) => {
  const from = preserving.indexOf(at)
  const to = preserving[from + 1] ?? clean
  if (to.sigma === 0) return exact(x, at)
  const spread = (DEVIATION * at.sigma) ** 2 / ((at.alpha * DEVIATION) ** 2 + at.sigma ** 2)
  const q = posterior(at, to)
  const variance = q.variance + q.x0 ** 2 * spread
  const fraction = Math.log(variance / q.variance) / Math.log(transition(to, at).variance / q.variance)
  return { ...exact(x, at), fraction: full(engine, x.shape, fraction) }
}

test('X7 Gaussian data: mean and variance come back through every sampler, on every path it serves', t => {
  for (const [name, sampler, paths, discretization] of samplers)
    for (const [i, levels] of paths.entries())
      t.ok(returns(sampler, levels, exact, discretization / (levels.length - 1)), `${name}, path ${i}`)
  t.ok(returns(ddpm({ variance: 'learned' }), preserving, exactly, 0), 'ddpm with the true variance, exactly')
  t.notOk(returns(ddpm(), preserving, exact, 0), 'control: the smaller variance is not exact')
  const first = FIRST / (preserving.length - 1)
  t.notOk(returns(ddpm(), preserving, gaussianDenoiser(MEAN, DEVIATION * 1.2), first), 'control: other data')
  t.notOk(returns(ddpm(), preserving, gaussianDenoiser(MEAN + 0.1, DEVIATION), first), 'control: another mean')
  const oracle: Denoiser = (x, at) => ({ ...exact(x, at), x0: full(engine, x.shape, MEAN) })
  const one = descend(consistency, oracle, startOf(preserving[0] ?? clean), preserving.slice(-3), key(1))
  t.ok(X5.holds(one, full(engine, one.shape, MEAN)), 'consistency: x0 at once')
  t.end()
})

test('X7 order: errors fall as 1/n, of Heun and DPM-Solver++ as 1/n²; mean and variance of samplers that draw noise as 1/n', t => {
  for (const [name, sampler, order] of [
    ['ddim', ddim(), 1],
    ['euler', euler, 1],
    ['heun', heun, 2],
    ['dpmSolver', dpmSolver, 2],
  ] as const) {
    for (const path of ['exploding', 'preserving', 'flow'] as const) {
      const found = orderOf(sharpness(sampler, path, [64, 128, 256]))
      t.ok(Math.abs(found - order) < 0.15, `${name}, ${path}: order ${found.toFixed(3)}`)
    }
  }
  for (const [name, sampler] of [
    ['ddpm', ddpm()],
    ['ddpm, larger variance', ddpm({ variance: 'transition' })],
    ['ddim, eta 1/2', ddim({ eta: 0.5 })],
    ['eulerMaruyama', eulerMaruyama],
  ] as const) {
    for (const path of ['exploding', 'preserving', 'flow'] as const) {
      const found = orderOf(weakSharpness(sampler, path, [64, 128, 256]))
      t.ok(Math.abs(found - 1) < 0.15, `${name}, ${path}: weak order ${found.toFixed(3)}`)
    }
  }
  t.notOk(
    Math.abs(orderOf(sharpness(euler, 'exploding', [64, 128, 256])) - 2) < 0.15,
    'control: Euler is not of order 2',
  )
  t.end()
})

test('inpainting keeps what is known, fills in the rest, and is the sampler itself with nothing known', t => {
  const shape = [ROWS, COLUMNS]
  // No sum of a sample and a difference gives it back, as one of 5 would be.
  const known = full(engine, shape, Math.fround(0.001))
  const half = tensor(
    engine,
    [COLUMNS],
    Float64Array.from({ length: COLUMNS }, (_, i) => (i % 2 === 0 ? 1 : 0)),
  )
  const short = scheduleLevels(linearSchedule(), 50, { spacing: 'trailing' })
  const x = startOf(levelAt(linearSchedule(), 999))
  const filled = descend(inpaint(heun, { known, mask: half, repeats: 2 }), exact, x, short, key(2))
  const values = Array.from(Float64Array.from(engineRead(filled)))
  t.ok(values.every((value, i) => i % 2 === 1 || value === Math.fround(0.001)))
  const rest = tensor(
    engine,
    [values.length / 2],
    values.filter((_, i) => i % 2 === 1),
  )
  t.ok(X7.holds(rest, MEAN, DEVIATION), 'independent pixels keep their distribution')
  const none = full(engine, [COLUMNS], 0)
  const plain = descend(ddpm(), exact, x, short, key(2))
  t.ok(X5.holds(descend(inpaint(ddpm(), { known, mask: none }), exact, x, short, key(2)), plain))
  t.notOk(X5.holds(filled, plain), 'control: a mask matters')
  t.end()
})

test('ddpm learns its variance: f = 0 is the posterior’s, f = 1 the transition’s', t => {
  const levels = preserving.slice(-61, -1)
  const with0 =
    (fraction: number): Denoiser =>
    (x, at) => ({ ...exact(x, at), fraction: full(engine, x.shape, fraction) })
  const x = startOf(levels[0] ?? clean)
  const run = (sampler: Sampler, denoiser: Denoiser) => descend(sampler, denoiser, x, levels, fold(key(1), 'v'))
  const learned = ddpm({ variance: 'learned' })
  t.ok(close(run(learned, with0(0)), run(ddpm(), exact)))
  t.ok(close(run(learned, with0(1)), run(ddpm({ variance: 'transition' }), exact)))
  t.notOk(close(run(learned, with0(0.5)), run(ddpm(), exact)), 'control: between them')
  t.throws(() => run(learned, exact), /learns no variance/)
  t.end()
})

const engineRead = (x: Tensor): ArrayLike<number> => {
  const data = engine.read(x.storage, x.size)
  if (data instanceof Promise) throw new TypeError('wasm answers at once')
  return data
}
/** Equal but for the rounding of 60 steps in f32. */
const close = (x: Tensor, y: Tensor): boolean => {
  const other = engineRead(y)
  return Array.from(engineRead(x)).every((a, i) => Math.abs(a - (other[i] ?? Number.NaN)) < 60 * 8 * 2 ** -24 * 4)
}
