/** Diffusion's operators, functions of tensors and samplers at a point each: what law K1 holds on every engine (everyEngine.test.ts). */
import { diffusion } from '../../operators/index.ts'
import { context } from '../../src/context.ts'
import { scale } from '../../src/kernel/binary.ts'
import { concat } from '../../src/kernel/slice.ts'
import { unary } from '../../src/kernel/unary.ts'
import type { Operator } from '../../src/operator.ts'
import { fold, key, normal } from '../../src/random.ts'
import { type Axes, sizeOf, type Tensor } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import type { Problem } from '../laws/kernel.ts'
import { type Make, problemOf } from './cases.ts'

const {
  annealedLangevin,
  classGradient,
  classifierFree,
  classifierGuidance,
  combine,
  conditioned,
  consistency,
  convert,
  ddim,
  ddpm,
  denoiser,
  dpmSolver,
  euler,
  eulerMaruyama,
  forwardStep,
  heun,
  hybridLoss,
  inpaint,
  levelAt,
  linearSchedule,
  noiseLike,
  noiseOf,
  predictor,
  predictorCorrector,
  qSample,
  separate,
  squaredError,
  squaredErrorNorm,
  targetOf,
  timeCondition,
  trialStep,
} = diffusion

const schedule = linearSchedule()
const [high, middle, low] = [levelAt(schedule, 600), levelAt(schedule, 450), levelAt(schedule, 300)]
const SHAPE = [2, 3, 2, 2]
const steps = [
  { from: high, to: middle },
  { from: middle, to: low },
]

/** A function of tensors of `SHAPE`. */
const resultOf = (label: string, count: number, run: (...x: Tensor[]) => Tensor | readonly Tensor[]): Problem => {
  const whole = (...inputs: Tensor[]): readonly Tensor[] => {
    const found = run(...inputs)
    return Array.isArray(found) ? found : [found].flat()
  }
  const inputs = Array.from({ length: count }, (_, i) => ({
    shape: SHAPE,
    values: normal(fold(key(3), `${label} ${i}`), sizeOf(SHAPE)).map(Math.fround),
  }))
  return { label, inputs, fused: ['linear', 'activation', 'softmax'], bounded: whole, run: whole }
}

/** Any function of the samples will do for a model. */
const predict = (x: Tensor): Tensor => unary('tanh', x)
const learning = denoiser(x => concat<Axes>([predict(x), unary('sin', x)], 1), {
  prediction: 'epsilon',
  learnedVariance: true,
})
const clipped = denoiser(predict, { prediction: 'v', clip: 1, clippedNoise: 'rederived' })

/** Two steps of a sampler, the second with what it remembers of the first. */
const sampled = (label: string, sampler: diffusion.Sampler, model: diffusion.Denoiser = clipped): Problem =>
  resultOf(label, 1, x => {
    const [first, memory] = sampler.step(sampler.init(), { x, from: high, to: middle, key: key(1), denoiser: model })
    const { sample } = first
    const [second] = sampler.step(memory, { x: sample, from: middle, to: low, key: key(2), denoiser: model })
    return [sample, first.predictedX0, second.sample]
  })

const noise = (make: Make) => make<readonly ['batch', 'channels', 'height', 'width']>(2, 3, 2, 2)
const both = (make: Make) => make<readonly ['batch', 'channels', 'height', 'width']>(2, 6, 2, 2)

/** An operator whose target is a tensor of the engine of its input. */
const against =
  <A extends Axes, B>(f: (target: Tensor<A>) => Operator<Tensor<A>, B>, target: (x: Tensor<A>) => Tensor<A>) =>
  (...[c, x]: Parameters<Operator<Tensor<A>, B>>) =>
    f(target(x))(c, x)

/** Logits that are linear in the samples: a classifier that every engine computes. */
const classifier: diffusion.NoisyClassifier<Axes> = (_, [x]) => ({
  value: x.share<readonly ['batch', 'class']>([2, 12]),
  state: {},
  saved: [],
  pullback: d => [{}, [d.share(SHAPE), null]],
})
const classified = { prediction: 'epsilon' as const, classifier, parameters: {}, labels: [3, 11], scale: 2 }

/** 2 x - what it is told. */
const mixture: diffusion.ConditionalModel<Axes, Tensor> = (_, [x, , told]) => ({
  value: combine([2, x], [-1, told]),
  state: {},
  saved: [],
  pullback: d => [{}, [scale(d, 2), null, scale(d, -1)]],
})

export const diffusionProblems: readonly Problem[] = [
  problemOf(
    'squaredError',
    against(
      target => squaredError(target, [0.5, 2]),
      x => noiseLike(x, key(4)).share(),
    ),
    noise,
    {},
  ),
  problemOf(
    'hybridLoss',
    (c, x) =>
      hybridLoss(noiseOf<readonly ['batch', 'channels', 'height', 'width']>(x.engine, SHAPE, key(4)), {
        prediction: 'epsilon',
        steps,
        weight: 1,
      })(c, x),
    both,
    {},
  ),
  problemOf('timeCondition', timeCondition({ name: 'time', width: 8, frequencies: 6 }), () => times([3, 600]), {}),
  resultOf('conditioned', 2, (x, told) => {
    const { value, pullback } = conditioned(mixture, told)(context({}), [x, times([1, 2])])
    return [value, pullback(value)[1][0]]
  }),
  resultOf('combine', 3, (x, y, z) => combine([2, x], [[0.5, -1], y], [0, z])),
  resultOf('qSample', 2, (x, z) => qSample(x, z, [high, low])),
  resultOf('forwardStep', 2, (x, z) => forwardStep(x, z, low, high)),
  resultOf('targetOf', 2, (x, z) => targetOf('v', x, z, [high, low])),
  resultOf('separate', 2, (x, p) => Object.values(separate('velocity', x, p, high))),
  resultOf('convert', 2, (x, p) => convert('v', 'epsilon', x, p, [high, low])),
  resultOf('predictor', 1, x =>
    predictor((_, [y]) => ({ value: y.share(), state: {}, saved: [], pullback: d => [{}, [d, null]] }), {})(x, high),
  ),
  resultOf('denoiser', 1, x =>
    [clipped, learning].flatMap(model => Object.values(model(x, high)).filter(y => y !== null)),
  ),
  resultOf('classifierFree', 1, x => classifierFree(predict, y => unary('sin', y), 2)(x, high)),
  resultOf('classGradient', 1, x => classGradient(classifier, {}, classified.labels, x, high)),
  resultOf('classifierGuidance', 1, x => classifierGuidance(predict, classified)(x, high)),
  resultOf('noiseOf', 1, x => noiseOf(x.engine, SHAPE, key(6))),
  resultOf('noiseLike', 1, x => noiseLike(x, key(6))),
  resultOf('trialStep', 2, (x, slope) => Object.values(trialStep(y => unary('sin', y), x, slope, 0, 0.1))),
  resultOf('squaredErrorNorm', 3, (error, x, y) => squaredErrorNorm(error, x, y, { absolute: 0.1, relative: 0.1 })),
  sampled('annealedLangevin', annealedLangevin({ rate: 0.1, least: low.sigma, repeats: 2 })),
  sampled('consistency', consistency),
  sampled('ddim', ddim({ eta: 0.5 })),
  sampled('ddpm', ddpm()),
  sampled('ddpm, learned variance', ddpm({ variance: 'learned' }), learning),
  sampled('dpmSolver', dpmSolver),
  sampled('euler', euler),
  sampled('eulerMaruyama', eulerMaruyama),
  sampled('heun', heun),
  sampled('predictorCorrector', predictorCorrector()),
  resultOf('inpaint', 3, (x, known, mask) => {
    const sampler = inpaint(euler, { known, mask: unary('step', mask), repeats: 2 })
    const [{ sample }] = sampler.step([], { x, from: high, to: middle, key: key(1), denoiser: clipped })
    return sample
  }),
]

/** Exports of the index that are numbers of the host. */
export const diffusionOthers = new Set([
  ...['clean', 'noiseRatio', 'signalToNoise', 'levelAt', 'scheduleLevels', 'spacedTimes', 'partialLevels'],
  ...['noiseSchedule', 'fromAlphaBar', 'linearSchedule', 'cosineSchedule', 'sigmoidSchedule', 'flowSchedule'],
  ...[
    'karrasSigmas',
    'exponentialSigmas',
    'explodingLevels',
    'levelOfRatio',
    'preservingLevels',
    'lossWeight',
    'weightsOf',
  ],
  ...['posterior', 'transition', 'gaussianDivergence', 'priorTerm', 'stepTerm', 'decoderTerm', 'bitsPerDimension'],
  ...['assignment', 'optimalPairing', 'nextStep', 'slerp'],
  // What only prepares a step of others, or their numbers for it.
  ...['oneStep', 'timeEmbedding'],
])
