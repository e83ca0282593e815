/** Options of training a diffusion model over pictures. Times are in optimizer steps. */
import * as t from 'io-ts'
import { boolean, fraction, naturalNumber, oneOf, proportion, withDefault, withRules } from './fields.ts'
import { fromText } from './flag.ts'
import { pictureCount } from './picture.ts'
import { runFields, runRules } from './training.ts'

export const denoisingTrainingFields = {
  ...runFields,
  /** Pictures a batch. */
  batch: withDefault(fromText(pictureCount), 64),
  /** How much each noise level counts; see `lossWeight`. */
  weighting: withDefault(oneOf('simple', 'snr', 'truncatedSnr', 'minSnr'), 'simple'),
  /** Decay of the averaged weights, which are those that are kept. */
  averageDecay: withDefault(fromText(fraction), 0.999),
  /** Part of the classes not told, so that guidance works. */
  dropLabels: withDefault(fromText(proportion), 0.1),
  /** Steps between samples drawn with the averaged weights; 0 never. */
  sampleEvery: withDefault(fromText(naturalNumber), 0),
  /** Whether pictures are turned left to right at random: not where their sides mean something, as in digits. */
  flip: withDefault(boolean, false),
}

export const DenoisingTrainingOptions = withRules(
  t.exact(t.type(denoisingTrainingFields), 'training options'),
  runRules,
)
export type DenoisingTrainingOptions = t.TypeOf<typeof DenoisingTrainingOptions>
