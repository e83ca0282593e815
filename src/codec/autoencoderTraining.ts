/** Options of training an autoencoder over pictures. Times are in optimizer steps. */
import * as t from 'io-ts'
import { naturalNumber, nonNegativeNumber, withDefault, withRules } from './fields.ts'
import { fromText } from './flag.ts'
import { pictureCount } from './picture.ts'
import { runFields, runRules } from './training.ts'

export const autoencoderTrainingFields = {
  ...runFields,
  /** Pictures a batch. */
  batch: withDefault(fromText(pictureCount), 48),
  /** What a nat of divergence costs, in units of squared error of a pixel; see `vaeLoss`. */
  divergence: withDefault(fromText(nonNegativeNumber), 2e-5),
  /** Steps between pictures shown beside what the latents keep of them; 0 never. */
  sampleEvery: withDefault(fromText(naturalNumber), 0),
}

export const AutoencoderTrainingOptions = withRules(
  t.exact(t.type(autoencoderTrainingFields), 'training options'),
  runRules,
)
export type AutoencoderTrainingOptions = t.TypeOf<typeof AutoencoderTrainingOptions>
