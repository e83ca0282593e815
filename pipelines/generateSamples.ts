import type { Observable } from 'rxjs'
import { decodeOrThrow } from '../src/codec/decode.ts'
import { integerIn } from '../src/codec/fields.ts'
import { split } from '../src/random.ts'
import type { Generated, GenerateOptions, GenerationModel } from './generate.ts'
import { generateRows } from './generateRows.ts'

/** Texts decoded at once: more are no input that any memory was meant for. */
export const sampleCount = integerIn('an integer from 1 to 4096', n => n >= 1 && n <= 4096)

/** One token of one of several texts. */
export interface GeneratedSample extends Generated {
  /** Which of the texts, from 0. */
  readonly sample: number
  /** The text ends with this token. */
  readonly last: boolean
}

export interface GenerateSamplesOptions extends GenerateOptions {
  /** How many texts, 4096 at most. */
  readonly samples: number
}

/**
 * Several texts after one prompt, decoded together at nearly the price of one: the prompt is read once, then each step takes all texts one token further,
 * in one emission each, and those that have ended leave the batch. Text i is what `generate` gives with the key `split(key(seed), samples)[i]`, on `wasm`
 * bit for bit, however many are beside it (laws L1, L4). Otherwise as `generate`: one credit of `demand$` is one token of one text.
 */
export const generateSamples = (
  source: GenerationModel,
  from: string | Int32Array,
  options: GenerateSamplesOptions,
): Observable<GeneratedSample> => {
  const samples = decodeOrThrow(sampleCount, options.samples, 'samples')
  return generateRows(source, from, options, {
    keys: own => split(own, samples),
    emission: ({ generated, ended }, sample) => ({ sample, ...generated, last: ended }),
  })
}
