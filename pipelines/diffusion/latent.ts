/**
 * Latent diffusion is conjugation: decode ∘ sampler ∘ encode. The sampler knows nothing of it; what is diffused are latents of unit variance,
 *
 *   z = s · mean(x),   s = 1 / root mean square of the means over the data
 *
 * Source: Rombach et al., arXiv 2112.10752, 3.2 and appendix G. Law X9.
 */
import { concatMap, defer, forkJoin, from, type MonoTypeOperatorFunction, map, type Observable, of } from 'rxjs'
import type { Planes } from '../../operators/convolution/planes.ts'
import {
  classifierFree,
  conditioned,
  type Denoiser,
  denoiser,
  type Estimate,
  type Parametrization,
  predictor,
} from '../../operators/diffusion/index.ts'
import { context, type Named } from '../../src/context.ts'
import type { Engine, HostData } from '../../src/engine/engine.ts'
import { scale } from '../../src/kernel/binary.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Shape, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'
import { type DenoiseOptions, denoise, type Frame } from './denoise.ts'
import type { TextConditionalModel } from './network.ts'
import type { Vae } from './vae.ts'

/** Pictures to what is diffused, and back. */
export interface Autoencoder {
  readonly encode: (pictures: Tensor) => Tensor
  readonly decode: (latents: Tensor) => Tensor
}

/** The means of a VAE, times its scaling factor. */
export const autoencoderOf = ({ encoder, decoder }: Vae, parameters: Named, factor: number): Autoencoder => {
  const c = context(parameters, { differentiable: false })
  const planes = (x: Tensor): Planes => x.share<readonly ['batch', 'channels', 'height', 'width']>()
  return {
    encode: pictures => scope(() => scale(encoder(c, planes(pictures)).value[0], factor)),
    decode: latents => scope(() => decoder(c, planes(scale(latents, 1 / factor))).value),
  }
}

/** What makes latents of unit variance: 1 / their root mean square. */
export const scalingFactor = (latents: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < latents.length; i++) sum += (latents[i] ?? 0) ** 2
  return Math.sqrt(latents.length / sum)
}

/** A denoiser of pictures as one of latents. Exact where the autoencoder is orthonormal: then both samplings are the same one (law X9). */
export const conjugated =
  (denoiser: Denoiser, { encode, decode }: Autoencoder): Denoiser =>
  (z, at) =>
    scope((): Estimate => {
      const { x0, noise, fraction } = denoiser(decode(z), at)
      return { x0: encode(x0), noise: encode(noise), fraction }
    })

/** What a latent is, decoded, on the host. */
const picture = (engine: Engine, decode: Autoencoder['decode'], shape: Shape, latents: HostData) =>
  scope(() => {
    const x = decode(tensor(engine, shape, latents))
    return { shape: x.shape, data: read(x) }
  })

/** Frames of latents as frames of pictures. Each costs two decodings: where the end alone is wanted, `last()` goes before. */
export const decoded = (engine: Engine, { decode }: Autoencoder): MonoTypeOperatorFunction<Frame> =>
  concatMap(frame => {
    const sample = picture(engine, decode, frame.shape, frame.sample)
    const x0 = picture(engine, decode, frame.shape, frame.predictedX0)
    return forkJoin([arrived(sample.data), arrived(x0.data)]).pipe(
      map(([sampled, predictedX0]) => ({ ...frame, shape: sample.shape, sample: sampled, predictedX0 })),
    )
  })

/** A read of any engine: at once, or later. */
export const arrived = <T>(data: T | Promise<T>): Observable<T> => (data instanceof Promise ? from(data) : of(data))

export interface LatentDiffusionOptions extends Omit<DenoiseOptions, 'init'> {
  readonly autoencoder: Autoencoder
  /** Pictures to start from (batch, channels, height, width), encoded and noised to the first level. */
  readonly init?: { readonly shape: Shape; readonly data: ArrayLike<number> }
}

/** Encode where a picture is given, diffuse, decode: frames of pictures; `shape` is that of the latents. See `denoise`. */
export const latentDiffusion = ({ autoencoder, init, ...options }: LatentDiffusionOptions): Observable<Frame> => {
  const { engine } = options
  if (init === undefined) return denoise(options).pipe(decoded(engine, autoencoder))
  return defer(() =>
    arrived(scope(() => ({ data: read(autoencoder.encode(tensor(engine, init.shape, init.data))) })).data),
  ).pipe(
    concatMap(latents => denoise({ ...options, init: latents })),
    decoded(engine, autoencoder),
  )
}

/** What samplers ask of a denoiser told texts, guided without a classifier: the empty text is what it is told otherwise. */
export const promptedDenoiser = (
  model: TextConditionalModel,
  parameters: Named,
  { texts, empty, guidance, prediction }: PromptOptions,
): Denoiser => {
  const told = (ids: Tokens) => predictor(conditioned(model, ids), parameters)
  return denoiser(classifierFree(told(texts), told(empty), guidance), { prediction })
}

export interface PromptOptions {
  /** (batch, time) */
  readonly texts: Tokens
  /** Of the same shape, empty texts. */
  readonly empty: Tokens
  readonly guidance: number
  readonly prediction: Parametrization
}
