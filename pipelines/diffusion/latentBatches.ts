/** Latents of a set of pictures, computed once, and batches of them with texts that say what each shows. */
import type { Tokenizer } from '../../operators/token/tokenizer.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import { type PictureSet, pictureSize, toSigned } from '../../src/format/pictures.ts'
import { type Key, uniform } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Shape, tensor } from '../../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../../src/tensor/tokens.ts'
import type { Autoencoder } from './latent.ts'
import { type BatchOptions, type PictureBatch, randomBatches, type Samples, type Telling } from './pictureBatches.ts'

export interface LatentSet {
  readonly count: number
  /** Of one: (channels, height, width). */
  readonly shape: Shape
  /** (count, channels, height, width) */
  readonly latents: Float32Array
  readonly labels: Int32Array | null
}

/** Pictures encoded at once. */
const BATCH = 100

/** Every picture of a set through the encoder. */
export const encodeSet = async (engine: Engine, { encode }: Autoencoder, set: PictureSet): Promise<LatentSet> => {
  const { count, channels, height, width, labels } = set
  const size = pictureSize(set)
  let all = new Float32Array(0)
  let shape: Shape = []
  for (let first = 0; first < count; first += BATCH) {
    const rows = Math.min(BATCH, count - first)
    const pictures = toSigned(set.pixels.subarray(first * size, (first + rows) * size))
    const encoded = scope(() => {
      const latents = encode(tensor(engine, [rows, channels, height, width], pictures))
      return { shape: latents.shape.slice(1), data: read(latents) }
    })
    const data = await encoded.data
    if (first === 0) {
      shape = encoded.shape
      all = new Float32Array((count / rows) * data.length)
    }
    all.set(data, (first * data.length) / rows)
  }
  return { count, shape, latents: all, labels }
}

/** A set's latents times a factor. */
export const scaledLatents = (set: LatentSet, factor: number): LatentSet => ({
  ...set,
  latents: set.latents.map(value => value * factor),
})

/** Texts as token ids (batch, length), each ended and then filled up with the token that ends a text. A longer one is an InputError. */
export const textTokens = (tokenizer: Tokenizer, texts: readonly string[], length: number): Tokens => {
  const ids = new Int32Array(texts.length * length).fill(tokenizer.endId ?? 0)
  texts.forEach((text, i) => {
    const found = tokenizer.encode(text)
    if (found.length > length)
      throw new InputError(
        `prompt: expected at most ${length} tokens, found ${found.length} in ${JSON.stringify(text)}`,
      )
    ids.set(found, i * length)
  })
  return tokens(ids, [texts.length, length])
}

export interface CaptionOptions {
  readonly tokenizer: Tokenizer
  /** Tokens a text. */
  readonly length: number
  /** By class: all the ways of naming it. */
  readonly captions: readonly (readonly string[])[]
}

/** By one of their class' captions, the first where no key chooses; the empty text says nothing. (batch, length). */
export const captionTelling =
  ({ tokenizer, length, captions }: CaptionOptions): Telling =>
  (classes, key) => {
    const chosen = key === null ? null : uniform(key, classes.length)
    const texts = classes.map((id, i) => {
      const names = captions[id ?? -1] ?? []
      return names[Math.floor((chosen?.[i] ?? 0) * names.length)] ?? ''
    })
    return textTokens(tokenizer, texts, length)
  }

export const latentSamples = ({ count, shape, latents, labels }: LatentSet): Samples => ({
  count,
  shape,
  labels,
  gathered: rows => {
    const size = latents.length / count
    const all = new Float32Array(rows.length * size)
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0
      all.set(latents.subarray(row * size, (row + 1) * size), i * size)
    }
    return all
  },
})

/** Batches of latents, each with one of its class' captions; see `randomBatches`. */
export const captionedLatents = (
  set: LatentSet,
  { batch, dropLabels, ...captions }: CaptionOptions & Omit<BatchOptions, 'flip'>,
  key: Key,
): ((index: number) => PictureBatch) =>
  randomBatches(latentSamples(set), { batch, dropLabels, flip: false }, captionTelling(captions), key)
