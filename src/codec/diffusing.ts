/** How pictures are drawn from a diffusion model: options of the library and the command line. */
import * as t from 'io-ts'
import { finiteNumber, numberIn, oneOf, positiveFraction, positiveInteger, seed, withDefault } from './fields.ts'
import { fromText } from './flag.ts'

const share = numberIn('a number in [0, 1]', n => n >= 0 && n <= 1)

export const samplerNames = ['ddim', 'ddpm', 'dpm++', 'euler', 'heun', 'sde'] as const

/** Codecs by option; each also reads the text of a flag. */
export const diffusingFields = {
  /** Levels to walk down; heun asks the model twice at each. */
  steps: withDefault(fromText(positiveInteger), 30),
  sampler: withDefault(oneOf(...samplerNames), 'ddim'),
  /** How much the class counts: 0 not at all, 1 as the model learnt it, more exaggerates it. */
  guidance: withDefault(fromText(finiteNumber), 2),
  /** Noise of DDIM: 0 is deterministic, 1 ancestral. */
  eta: withDefault(fromText(share), 0),
  /** With a picture to start from: how much of it is done over. */
  strength: withDefault(fromText(positiveFraction), 0.6),
  /** With a mask: times that each step is tried, so that old and new agree (RePaint). */
  repeats: withDefault(fromText(positiveInteger), 5),
  seed: withDefault(fromText(seed), 0),
}

export const DiffusingOptions = t.exact(t.type(diffusingFields), 'diffusing options')
export type DiffusingOptions = t.TypeOf<typeof DiffusingOptions>
