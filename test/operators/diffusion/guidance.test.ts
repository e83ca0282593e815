/** Classifier guidance on a mixture of two Gaussians, where Bayes' rule can be checked: the unconditional model and the exact classifier are the conditional model. */
import fc from 'fast-check'
import test from 'tape'
import type { Predict } from '../../../operators/diffusion/denoiser.ts'
import { denoiser } from '../../../operators/diffusion/denoiser.ts'
import {
  classGradient,
  classifierGuidance,
  type NoisyClassifier,
} from '../../../operators/diffusion/guidance/classifierGuidance.ts'
import type { Level } from '../../../operators/diffusion/level.ts'
import { type Parametrization, targetOf } from '../../../operators/diffusion/parametrization.ts'
import { ddim } from '../../../operators/diffusion/sampler/ddim.ts'
import { linearSchedule } from '../../../operators/diffusion/schedule/linearSchedule.ts'
import { levelAt } from '../../../operators/diffusion/schedule/noiseSchedule.ts'
import { scheduleLevels } from '../../../operators/diffusion/schedule/spacing.ts'
import { key, normal } from '../../../src/random.ts'
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { descend } from '../../laws/diffusion.ts'
import { breaks, holds } from '../../property.ts'
import { close, engine, numbers, random, seeds } from '../support.ts'

const schedule = linearSchedule()
/** Class y is N(CENTRES[y], DEVIATION²), both as likely. */
const CENTRES = [-1, 1] as const
const DEVIATION = 0.4
type Row = readonly ['batch', 'dimension']

const spreadOf = ({ alpha, sigma }: Level): number => (alpha * DEVIATION) ** 2 + sigma ** 2
/** log p(x | y) but for what both share. */
const logit = (x: number, centre: number, at: Level): number => -((x - at.alpha * centre) ** 2) / (2 * spreadOf(at))
const expected = (x: number, centre: number, at: Level): number =>
  centre + ((at.alpha * DEVIATION ** 2) / spreadOf(at)) * (x - at.alpha * centre)

/** Predictions of kind `kind` from E[x0 | x]. */
const predicting =
  (kind: Parametrization, mean: (x: number, at: Level, row: number) => number): Predict =>
  (x, at) => {
    const x0 = numbers(x).map((value, row) => mean(value, at, row))
    const noise = numbers(x).map((value, row) => (value - at.alpha * (x0[row] ?? 0)) / at.sigma)
    return targetOf(kind, tensor(engine, x.shape, x0), tensor(engine, x.shape, noise), at)
  }
const mixed = (x: number, at: Level): number => {
  const [a, b] = CENTRES.map(centre => Math.exp(logit(x, centre, at)))
  const share = (b ?? 0) / ((a ?? 0) + (b ?? 0))
  return (1 - share) * expected(x, CENTRES[0], at) + share * expected(x, CENTRES[1], at)
}

const classifier: NoisyClassifier<Row> = (_, [x, { times }]) => {
  const at = levelAt(schedule, times[0] ?? 0)
  const value = tensor<readonly ['batch', 'class']>(
    engine,
    [x.shape[0] ?? 1, 2],
    numbers(x).flatMap(value => CENTRES.map(centre => logit(value, centre, at))),
  )
  return {
    value,
    state: {},
    saved: [],
    pullback: d => {
      const slopes = numbers(x).map((value, row) =>
        CENTRES.reduce(
          (sum, centre, y) => sum - ((numbers(d)[2 * row + y] ?? 0) * (value - at.alpha * centre)) / spreadOf(at),
          0,
        ),
      )
      return [{}, [tensor<Row>(engine, x.shape, slopes), null]]
    },
  }
}

const levels = fc.integer({ min: 0, max: 999 }).map(t => levelAt(schedule, t))
const rows = (seed: number): Tensor<Row> => random<Row>([4, 1], seed, 1.5)
const labels = [0, 1, 1, 0]
const guided = (kind: Parametrization, scale: number): Predict =>
  classifierGuidance<Row>(predicting(kind, mixed), { prediction: kind, classifier, parameters: {}, labels, scale })

test('classifier guidance: the unconditional model with the exact classifier is the conditional one, in any parametrization', t => {
  const law = (scale: number) =>
    fc.property(levels, seeds, fc.constantFrom<Parametrization>('epsilon', 'x0', 'v'), (at, seed, kind) => {
      const told = predicting(kind, (x, level, row) => expected(x, CENTRES[labels[row] === 1 ? 1 : 0], level))
      return close(numbers(guided(kind, scale)(rows(seed), at)), numbers(told(rows(seed), at)), 1e-6)
    })
  holds(t, 'Bayes', law(1))
  breaks(t, 'another scale', law(1.5))
  const at = levelAt(schedule, 300)
  const gradient = numbers(classGradient<Row>(classifier, {}, labels, rows(1), at))
  const likelihood = (x: number, label = 0): number => {
    const [a = 0, b = 0] = CENTRES.map(centre => logit(x, centre, at))
    return (label === 1 ? b : a) - Math.log(Math.exp(a) + Math.exp(b))
  }
  const differences = numbers(rows(1)).map(
    (x, row) => (likelihood(x + 1e-5, labels[row]) - likelihood(x - 1e-5, labels[row])) / 2e-5,
  )
  t.ok(close(gradient, differences, 1e-6), 'D4: the gradient of log p(y | x)')
  t.end()
})

test('guided samples are of the class asked for', t => {
  const count = 64
  const wanted = Array.from({ length: count }, (_, i) => i % 2)
  const start = tensor<Row>(engine, [count, 1], normal(key(1), count))
  const path = scheduleLevels(schedule, 40, { spacing: 'trailing' })
  const shareOf = (predict: Predict): number => {
    const found = numbers(descend(ddim(), denoiser(predict, { prediction: 'epsilon' }), start, path, key(1)))
    return found.filter((x, row) => x > 0 === (wanted[row] === 1)).length / count
  }
  const unguided = predicting('epsilon', mixed)
  const options = { prediction: 'epsilon', classifier, parameters: {}, labels: wanted, scale: 1 } as const
  t.ok(shareOf(classifierGuidance<Row>(unguided, options)) > 0.97)
  t.ok(shareOf(unguided) < 0.7, 'control: unguided, half')
  t.end()
})
