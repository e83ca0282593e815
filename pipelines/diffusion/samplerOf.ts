/** Samplers and ways down by the names of `DiffusingOptions`. */
import {
  annealedLangevin,
  ddim,
  ddpm,
  dpmSolver,
  euler,
  eulerMaruyama,
  exponentialSigmas,
  heun,
  karrasSigmas,
  type Level,
  levelAt,
  type NoiseSchedule,
  noiseRatio,
  predictorCorrector,
  preservingLevels,
  type Sampler,
  type SigmaRange,
  scheduleLevels,
} from '../../operators/diffusion/index.ts'
import type { DiffusingOptions, stepSamplerNames } from '../../src/codec/diffusing.ts'

type StepSampler = (typeof stepSamplerNames)[number]

/**
 * Langevin dynamics at each level: steps, and their δ over sigma². Each step takes 1 - δ/2 of what is left of the level before, so that some 30 levels of 5 steps suffice;
 * many more of them want the published 0.2 (Song & Ermon, arXiv 1907.05600, section 5).
 */
const LANGEVIN = { repeats: 5, rate: 0.5 }

/** The sampler of a name, to walk these levels; ddpm takes a variance that the model has learnt. */
export const samplerOf = (
  { sampler, eta }: Pick<DiffusingOptions, 'eta'> & { readonly sampler: StepSampler },
  levels: readonly Level[],
  learnedVariance = false,
): Sampler => {
  const samplers: Readonly<Record<StepSampler, () => Sampler>> = {
    ddim: () => ddim({ eta }),
    ddpm: () => ddpm({ variance: learnedVariance ? 'learned' : 'posterior' }),
    'dpm++': () => dpmSolver,
    euler: () => euler,
    heun: () => heun,
    sde: () => eulerMaruyama,
    pc: () => predictorCorrector(),
    langevin: () => {
      const least = levels.findLast(({ sigma }) => sigma > 0)?.sigma ?? 1
      return annealedLangevin({ ...LANGEVIN, rate: LANGEVIN.rate * least ** 2, least })
    },
  }
  return samplers[sampler]()
}

/** Sigma over alpha of the usual ends (Karras et al., arXiv 2206.00364, table 1), within what the model was trained on. */
const rangeOf = (schedule: NoiseSchedule): SigmaRange => ({
  most: Math.min(80, noiseRatio(levelAt(schedule, schedule.betas.length - 1))),
  least: Math.max(0.002, noiseRatio(levelAt(schedule, 0))),
})

/** The levels that so many steps walk down, the last one clean. */
export const levelsOf = (
  schedule: NoiseSchedule,
  { steps, sampler, levels }: Pick<DiffusingOptions, 'steps' | 'sampler' | 'levels'>,
): readonly Level[] => {
  const name = levels ?? (sampler === 'langevin' ? 'exponential' : 'trailing')
  if (name === 'karras') return preservingLevels(schedule, karrasSigmas(steps, rangeOf(schedule)))
  if (name === 'exponential') return preservingLevels(schedule, exponentialSigmas(steps, rangeOf(schedule)))
  return scheduleLevels(schedule, steps, { spacing: name })
}
