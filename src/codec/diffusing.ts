/** How pictures are drawn from a diffusion model: options of the library and the command line. */
import * as t from 'io-ts'
import {
  finiteNumber,
  nullable,
  numberIn,
  oneOf,
  positiveFraction,
  positiveInteger,
  proportion,
  seed,
  withDefault,
  withRules,
} from './fields.ts'
import { fromText } from './flag.ts'

/** Samplers that take a given number of steps. */
export const stepSamplerNames = ['ddim', 'ddpm', 'dpm++', 'euler', 'heun', 'sde', 'pc', 'langevin'] as const
/** The one that chooses them. */
export const ADAPTIVE = 'dormand-prince'
export const samplerNames = [...stepSamplerNames, ADAPTIVE] as const

/** Ways down: times of the schedule, or sigmas spaced as solvers of few steps want them. */
export const levelNames = ['trailing', 'leading', 'linspace', 'karras', 'exponential'] as const

/** Codecs by option; each also reads the text of a flag. */
export const diffusingFields = {
  /** Levels to walk down, but for dormand-prince; heun and pc ask the model twice at each, langevin six times. */
  steps: withDefault(fromText(positiveInteger), 30),
  sampler: withDefault(oneOf(...samplerNames), 'ddim'),
  /** Which levels; null is what the sampler likes, `exponential` for langevin and `trailing` for others. */
  levels: nullable(oneOf(...levelNames)),
  /** What a step of dormand-prince may be wrong by; null is 0.01. */
  tolerance: nullable(fromText(numberIn('a number in [1e-6, 1)', n => n >= 1e-6 && n < 1))),
  /** How much the class counts: 0 not at all, 1 as the model learnt it, more exaggerates it. */
  guidance: withDefault(fromText(finiteNumber), 2),
  /** Noise of DDIM: 0 is deterministic, 1 ancestral. */
  eta: withDefault(fromText(proportion), 0),
  /** With a picture to start from: how much of it is done over. */
  strength: withDefault(fromText(positiveFraction), 0.6),
  /** With a mask: times that each step is tried, so that old and new agree (RePaint). */
  repeats: withDefault(fromText(positiveInteger), 5),
  seed: withDefault(fromText(seed), 0),
}

export const DiffusingOptions = withRules(t.exact(t.type(diffusingFields), 'diffusing options'), [
  {
    field: 'eta',
    holds: ({ sampler, eta }) => eta === 0 || sampler === 'ddim',
    expected: ({ sampler }) => `0 (${sampler} has no eta; ddim has)`,
    found: ({ eta }) => eta,
  },
  {
    field: 'levels',
    holds: ({ sampler, levels }) => sampler !== ADAPTIVE || levels === null,
    expected: () => `none (${ADAPTIVE} chooses its own)`,
    found: ({ levels }) => levels,
  },
  {
    field: 'tolerance',
    holds: ({ sampler, tolerance }) => sampler === ADAPTIVE || tolerance === null,
    expected: ({ sampler }) => `none (${sampler} has no tolerance; ${ADAPTIVE} has)`,
    found: ({ tolerance }) => tolerance,
  },
  {
    field: 'levels',
    holds: ({ sampler, levels }) => sampler !== 'langevin' || levels === null || onSigmas(levels),
    expected: () => '"karras" or "exponential", for langevin needs sigmas that shrink by a factor',
    found: ({ levels }) => levels,
  },
])
export type DiffusingOptions = t.TypeOf<typeof DiffusingOptions>

const onSigmas = (levels: (typeof levelNames)[number]): boolean => levels === 'karras' || levels === 'exponential'
