import { concatMap, defer, finalize, last, map, type Observable, of } from 'rxjs'
import {
  classifierFree,
  conditioned,
  type Denoiser,
  denoiser,
  inpaint,
  levelAt,
  partialLevels,
  predictor,
  type Sampler,
  scheduleLevels,
} from '../../operators/diffusion/index.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { type DenoisingConfig, pictureSizeOf } from '../../src/codec/denoising.ts'
import { ADAPTIVE, DiffusingOptions } from '../../src/codec/diffusing.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import { Region } from '../../src/tensor/region.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Shape, tensor } from '../../src/tensor/tensor.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'
import type { Pace } from '../../streams/index.ts'
import { type DenoiseControls, type DenoiseOptions, denoise, type Frame } from './denoise.ts'
import { denoiseAdaptively } from './denoiseAdaptively.ts'
import type { OpenedDenoiser } from './denoisingFiles.ts'
import { type Autoencoder, arrived, decoded } from './latent.ts'
import { autoencoderIn } from './networkOf.ts'
import { levelsOf, samplerOf } from './samplerOf.ts'
import { told } from './telling.ts'

/** What a picture is to show: a class id, the number of classes for any; or a text, which a model told classes takes for a class' name. */
export type Shown = number | string

/** What a step of the adaptive sampler may be wrong by, unless given: some 50 evaluations of the bundled model, as near as 100 steps of DDIM. */
const TOLERANCE = 0.01

/** What is not given has the defaults of `DiffusingOptions`. */
export interface DiffuseOptions extends Partial<DiffusingOptions>, Pace {
  /** What each picture is to show. */
  readonly labels: ArrayLike<Shown>
  /** One picture, on [-1, 1], to start from instead of noise; or the known part of `mask`. (channels, height, width). */
  readonly init?: ArrayLike<number>
  /** 1 where `init` is kept, 0 where it is made up; (channels, height, width). Starts from noise. */
  readonly mask?: ArrayLike<number>
  /** Emits the last frame alone: latents on the way to it need no decoding. False unless given. */
  readonly lastOnly?: boolean
  /** Swaps sampler or denoiser while the run goes on; see `denoise`. */
  readonly changes$?: Observable<Partial<DenoiseControls>>
}

/** What samplers ask of a model for these pictures, guided without a classifier. Predicted pictures are kept within [-1, 1]; latents have no such bounds. */
export const guidedDenoiser = (opened: OpenedDenoiser, labels: ArrayLike<Shown>, guidance: number): Denoiser => {
  const { config, model, parameters } = opened
  const shown = Array.from(labels, label => (label === config.class_names.length ? null : label))
  const asked = (tokens: Tokens) => predictor(conditioned(model, tokens), parameters)
  const conditional = asked(told(opened, shown))
  const unconditional = asked(told(opened, new Array<null>(shown.length).fill(null)))
  const untold = shown.every(label => label === null)
  return denoiser(classifierFree(conditional, unconditional, untold ? 0 : guidance), {
    prediction: config.prediction_type,
    learnedVariance: config.network.learn_sigma,
    ...(config.autoencoder === null ? { clip: 1, clippedNoise: 'rederived' } : {}),
  })
}

/** What is wrong with what a model is asked to draw. */
const checkAsked = (config: DenoisingConfig, { labels, init, mask }: DiffuseOptions): void => {
  const { in_channels: channels, height, width } = pictureSizeOf(config)
  const size = channels * height * width
  for (const [name, values] of Object.entries({ init, mask }))
    if (values !== undefined && values.length !== size)
      throw new InputError(
        `${name}: expected ${size} numbers, [${channels},${height},${width}], found ${values.length}`,
      )
  if (mask !== undefined && init === undefined)
    throw new InputError('mask: expected a picture to keep part of, found none')
  if (labels.length === 0) throw new InputError('labels: expected at least one, found none')
  const classes = config.class_names.length
  for (const label of Array.from(labels))
    if (typeof label === 'number' && (!Number.isInteger(label) || label < 0 || label > classes))
      throw new InputError(
        `class: expected ${classes === 0 ? '0, for the model has no classes' : `one of 0 to ${classes - 1}`}; found ${label}`,
      )
}

/**
 * Draws one picture for each label, as a stream of frames (see `denoise`): from noise, from a picture noised part of the way (`init`, `strength`; SDEdit), or around
 * the part of a picture that a mask keeps (RePaint). Where latents are diffused, `init` is encoded, the mask keeps those latents that it keeps whole, and every frame is
 * decoded. Cold, and a function of its arguments. Classes, texts or pictures that do not fit the model are an InputError.
 */
export const diffuse = (opened: OpenedDenoiser, engine: Engine, given: DiffuseOptions): Observable<Frame> => {
  const { labels, init, mask, lastOnly = false, changes$, demand$, scheduler } = given
  const { config, parameters, schedule } = opened
  const options = decodeOrThrow(DiffusingOptions, given, 'diffusing options')
  checkAsked(config, given)
  const { in_channels: channels, height, width } = config.network
  const shape: Shape = [labels.length, channels, height, width]
  const coder = autoencoderIn(config, parameters)
  const common = {
    engine,
    shape,
    seed: options.seed,
    denoiser: guidedDenoiser(opened, labels, options.guidance),
    ...(changes$ === undefined ? {} : { changes$ }),
    ...(demand$ === undefined ? {} : { demand$ }),
    ...(scheduler === undefined ? {} : { scheduler }),
  }
  const adaptive = options.sampler === ADAPTIVE && mask === undefined && changes$ === undefined
  const levels = adaptive ? [] : levelsOf(schedule, options)
  const stepping = ({ sampler }: DiffusingOptions): Sampler => {
    if (sampler !== ADAPTIVE) return samplerOf({ ...options, sampler }, levels, config.network.learn_sigma)
    throw new InputError(`sampler: expected one of a given number of steps, with a mask or changes; found ${sampler}`)
  }
  /** null: it chooses its own steps. */
  const sampler = adaptive ? null : stepping(options)
  const descent = (strength: number, start: Pick<DenoiseOptions, 'init'>): Observable<Frame> => {
    if (sampler !== null) return denoise({ ...common, ...start, sampler, levels: partialLevels(levels, strength) })
    const to = levelAt(schedule, 0)
    const [from = to] = partialLevels(scheduleLevels(schedule), strength)
    return denoiseAdaptively({ ...common, ...start, schedule, from, to, tolerance: options.tolerance ?? TOLERANCE })
  }
  const around = (sampler: Sampler, known: Float32Array, kept: ArrayLike<number>): Observable<Frame> =>
    defer(() => {
      const region = new Region()
      const tensors = region.run(() =>
        scope(() => ({
          known: tensor(engine, shape, known),
          mask: tensor(engine, [1, channels, height, width], kept),
        })),
      )
      return denoise({ ...common, sampler: inpaint(sampler, { ...tensors, repeats: options.repeats }), levels }).pipe(
        finalize(() => region.close()),
      )
    })
  const frames$ =
    init === undefined
      ? descent(1, {})
      : encoded(engine, config, coder, init).pipe(
          map(picture => repeated(picture, labels.length)),
          concatMap(known =>
            mask === undefined || sampler === null
              ? descent(options.strength, { init: known })
              : around(sampler, known, maskOf(config, mask)),
          ),
        )
  const shown$ = lastOnly ? frames$.pipe(last()) : frames$
  return coder === null ? shown$ : shown$.pipe(decoded(engine, coder))
}

/** A picture as what is diffused. */
const encoded = (
  engine: Engine,
  config: DenoisingConfig,
  coder: Autoencoder | null,
  picture: ArrayLike<number>,
): Observable<ArrayLike<number>> => {
  if (coder === null) return of(picture)
  const { in_channels, height, width } = pictureSizeOf(config)
  return defer(() =>
    arrived(scope(() => ({ data: read(coder.encode(tensor(engine, [1, in_channels, height, width], picture))) })).data),
  )
}

/** A mask as one of what is diffused: of latents it keeps those all of whose pixels it keeps. */
const maskOf = (config: DenoisingConfig, mask: ArrayLike<number>): ArrayLike<number> => {
  if (config.autoencoder === null) return mask
  const { in_channels, height, width } = config.network
  const size = pictureSizeOf(config)
  const factor = size.height / height
  const kept = new Float32Array(in_channels * height * width).fill(1)
  for (let i = 0; i < size.in_channels * size.height * size.width; i++) {
    const [x, y] = [i % size.width, Math.floor(i / size.width) % size.height]
    const at = Math.floor(y / factor) * width + Math.floor(x / factor)
    for (let channel = 0; channel < in_channels; channel++) {
      const place = channel * height * width + at
      kept[place] = Math.min(kept[place] ?? 0, mask[i] ?? 0)
    }
  }
  return kept
}

const repeated = (picture: ArrayLike<number>, count: number): Float32Array => {
  const all = new Float32Array(count * picture.length)
  for (let i = 0; i < count; i++) all.set(Array.from(picture), i * picture.length)
  return all
}
