import type { Planes } from '../../operators/convolution/planes.ts'
import {
  hybridLoss,
  type Level,
  levelAt,
  lossWeight,
  type NoiseSchedule,
  noiseOf,
  type Parametrization,
  qSample,
  squaredError,
  targetOf,
  type Weighting,
} from '../../operators/diffusion/index.ts'
import { compose } from '../../src/compose.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import type { Operator } from '../../src/operator.ts'
import { fold, integers, type Key } from '../../src/random.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import type { Objective } from '../trainer.ts'
import type { ClassConditionalModel } from './network.ts'
import type { PictureBatch } from './pictureBatches.ts'

export interface DenoisingObjectiveOptions {
  readonly engine: Engine
  readonly model: ClassConditionalModel
  readonly schedule: NoiseSchedule
  readonly prediction: Parametrization
  readonly weighting: Weighting
  /** The model learns a variance too, by `hybridLoss`, whose weighting is `simple`; false unless given. */
  readonly learnedVariance?: boolean
  /** The level of each picture of a batch; uniform over the schedule unless given. */
  readonly levelsOf?: (key: Key, batch: number, schedule: NoiseSchedule) => readonly Level[]
}

const uniformLevels = (key: Key, batch: number, schedule: NoiseSchedule): Level[] =>
  Array.from(integers(key, batch, schedule.betas.length), time => levelAt(schedule, time))

/** Levels spread evenly over the schedule: for a loss that is to be compared, not learnt from. */
export const evenLevels = (_: Key, batch: number, schedule: NoiseSchedule): Level[] =>
  Array.from({ length: batch }, (_, i) => levelAt(schedule, Math.floor(((i + 0.5) * schedule.betas.length) / batch)))

/** What the variational bound counts beside the squared error (Nichol & Dhariwal, arXiv 2102.09672, 3.1). */
const BOUND = 1e-3

/**
 * The mean over a batch of w(t) ‖prediction(x_t, t, class) - target‖² / size, x_t = q(x0, t, ε) at a level and noise of each picture's own, both drawn from the context's
 * key. Source: Ho et al., arXiv 2006.11239, algorithm 1.
 */
export const denoisingObjective = ({
  engine,
  model,
  schedule,
  prediction,
  weighting,
  learnedVariance = false,
  levelsOf = uniformLevels,
}: DenoisingObjectiveOptions): Objective<PictureBatch> => {
  if (learnedVariance && weighting !== 'simple')
    throw new InputError(`weighting: expected simple, by which alone a variance is learnt; found ${weighting}`)
  return (c, { shape, pictures, labels }) => {
    const levels = levelsOf(fold(c.key, 'times'), shape[0] ?? 0, schedule)
    const x0 = tensor(engine, shape, pictures)
    const noise = noiseOf(engine, shape, fold(c.key, 'noise'))
    const target: Planes = targetOf(prediction, x0, noise, levels).share(shape)
    const weights = weighting === 'simple' ? undefined : levels.map(level => lossWeight(prediction, weighting, level))
    const loss: Operator<Planes, Tensor<readonly []>> = learnedVariance
      ? hybridLoss(target, {
          prediction,
          steps: levels.map(from => ({ from, to: levelAt(schedule, from.time - 1) })),
          weight: BOUND * schedule.betas.length,
        })
      : squaredError(target, weights)
    const noisy: Planes = qSample(x0, noise, levels).share(shape)
    return compose(model, loss)(c, [noisy, times(levels.map(level => level.time)), labels])
  }
}
