import { defer, finalize, type Observable } from 'rxjs'
import {
  classifierFree,
  conditioned,
  type Denoiser,
  denoiser,
  inpaint,
  partialLevels,
  predictor,
} from '../../operators/diffusion/index.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { DiffusingOptions } from '../../src/codec/diffusing.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import { Region } from '../../src/tensor/region.ts'
import { type Shape, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import type { Pace } from '../../streams/index.ts'
import { type DenoiseControls, denoise, type Frame } from './denoise.ts'
import type { OpenedDenoiser } from './denoisingFiles.ts'
import { levelsOf, samplerOf } from './samplerOf.ts'

/** What is not given has the defaults of `DiffusingOptions`. */
export interface DiffuseOptions extends Partial<DiffusingOptions>, Pace {
  /** The class of each picture to draw; the number of classes for any. */
  readonly labels: ArrayLike<number>
  /** One picture, on [-1, 1], to start from instead of noise; or the known part of `mask`. (channels, height, width). */
  readonly init?: ArrayLike<number>
  /** 1 where `init` is kept, 0 where it is made up; (channels, height, width). Starts from noise. */
  readonly mask?: ArrayLike<number>
  /** Swaps sampler or denoiser while the run goes on; see `denoise`. */
  readonly changes$?: Observable<Partial<DenoiseControls>>
}

/** What samplers ask of a model for these classes, guided without a classifier. Predicted pictures are kept within [-1, 1]. */
export const guidedDenoiser = (
  { config, model, parameters }: OpenedDenoiser,
  labels: ArrayLike<number>,
  guidance: number,
): Denoiser => {
  const none = config.network.num_classes
  const told = (ids: ArrayLike<number>) => predictor(conditioned(model, tokens(ids, [ids.length, 1])), parameters)
  const [conditional, unconditional] = [told(labels), told(new Int32Array(labels.length).fill(none))]
  const untold = none === 0 || Array.from(labels).every(label => label === none)
  return denoiser(classifierFree(conditional, unconditional, untold ? 0 : guidance), {
    prediction: config.prediction_type,
    clip: 1,
    clippedNoise: 'rederived',
  })
}

/**
 * Draws one picture for each label, as a stream of frames (see `denoise`): from noise, from a picture noised part of the way (`init`, `strength`; SDEdit), or around
 * the part of a picture that a mask keeps (RePaint). Cold, and a function of its arguments. Classes or pictures that do not fit the model are an InputError.
 */
export const diffuse = (opened: OpenedDenoiser, engine: Engine, given: DiffuseOptions): Observable<Frame> => {
  const { labels, init, mask, changes$, demand$, scheduler } = given
  const options = decodeOrThrow(DiffusingOptions, given, 'diffusing options')
  const { in_channels: channels, height, width, num_classes } = opened.config.network
  const size = channels * height * width
  for (const [name, values] of Object.entries({ init, mask }))
    if (values !== undefined && values.length !== size)
      throw new InputError(
        `${name}: expected ${size} numbers, [${channels},${height},${width}], found ${values.length}`,
      )
  if (mask !== undefined && init === undefined)
    throw new InputError('mask: expected a picture to keep part of, found none')
  if (labels.length === 0) throw new InputError('labels: expected at least one, found none')
  for (const label of Array.from(labels))
    if (!Number.isInteger(label) || label < 0 || label > num_classes)
      throw new InputError(`class: expected one of 0 to ${num_classes - 1}, found ${label}`)
  const shape: Shape = [labels.length, channels, height, width]
  const levels = levelsOf(opened.schedule, options)
  const sampler = samplerOf(options, levels)
  const common = {
    engine,
    shape,
    seed: options.seed,
    denoiser: guidedDenoiser(opened, labels, options.guidance),
    ...(changes$ === undefined ? {} : { changes$ }),
    ...(demand$ === undefined ? {} : { demand$ }),
    ...(scheduler === undefined ? {} : { scheduler }),
  }
  if (init === undefined) return denoise({ ...common, sampler, levels })
  if (mask === undefined)
    return denoise({
      ...common,
      sampler,
      levels: partialLevels(levels, options.strength),
      init: repeated(init, labels.length),
    })
  return defer(() => {
    const region = new Region()
    const [known, kept] = region.run(() => [
      tensor(engine, shape, repeated(init, labels.length)),
      tensor(engine, [1, channels, height, width], mask),
    ])
    return denoise({
      ...common,
      sampler: inpaint(sampler, { known, mask: kept, repeats: options.repeats }),
      levels,
    }).pipe(finalize(() => region.close()))
  })
}

const repeated = (picture: ArrayLike<number>, count: number): Float32Array => {
  const all = new Float32Array(count * picture.length)
  for (let i = 0; i < count; i++) all.set(Array.from(picture), i * picture.length)
  return all
}
