import { InputError } from '../../src/errors.ts'
import { type PictureSet, pictureSize, toSigned } from '../../src/format/pictures.ts'
import { fold, integers, type Key, uniform } from '../../src/random.ts'
import type { Shape } from '../../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../../src/tensor/tokens.ts'
import type { Indexed } from '../trainer.ts'

/** Pictures on [-1, 1], or latents of them, and what each shows. */
export interface PictureBatch extends Indexed {
  /** (batch, channels, height, width) */
  readonly shape: Shape
  readonly pictures: Float32Array
  /** Class ids (batch, 1), the number of classes for none; or texts (batch, time). */
  readonly labels: Tokens
}

/** What is diffused, and what each shows. */
export interface Samples {
  readonly count: number
  /** Of one: (channels, height, width). */
  readonly shape: Shape
  /** Class ids; null where nothing says. */
  readonly labels: Int32Array | null
  /** Those of these rows, one after another; the i-th of them turned left to right where `flipped` says so. */
  readonly gathered: (rows: ArrayLike<number>, flipped: (i: number) => boolean) => Float32Array
}

/** Says what pictures show, given their classes; null says nothing. With a key it may choose among ways of saying it. */
export type Telling = (classes: readonly (number | null)[], key: Key | null) => Tokens

/** By their class ids: (batch, 1). */
export const classTelling =
  (none: number): Telling =>
  classes =>
    tokens(
      classes.map(id => id ?? none),
      [classes.length, 1],
    )

export interface BatchOptions {
  readonly batch: number
  /** Part of what pictures show that is not told. */
  readonly dropLabels: number
  readonly flip: boolean
}

export const pictureSamples = (set: PictureSet): Samples => ({
  count: set.count,
  shape: [set.channels, set.height, set.width],
  labels: set.labels,
  gathered: (rows, flipped) => {
    const size = pictureSize(set)
    const { width } = set
    const pixels = new Uint8Array(rows.length * size)
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0
      const picture = pixels.subarray(i * size, (i + 1) * size)
      picture.set(set.pixels.subarray(row * size, (row + 1) * size))
      if (flipped(i)) for (let at = 0; at < size; at += width) picture.subarray(at, at + width).reverse()
    }
    return toSigned(pixels)
  },
})

/** Batch number `index` of a run: drawn with replacement, a function of the key and the index alone, so a run resumes anywhere. */
export const randomBatches = (
  { count, shape, labels, gathered }: Samples,
  { batch, dropLabels, flip }: BatchOptions,
  telling: Telling,
  key: Key,
): ((index: number) => PictureBatch) => {
  if (count === 0) throw new InputError('pictures: expected at least one to train on, found none')
  return index => {
    const drawn = fold(key, index)
    const rows = integers(fold(drawn, 'rows'), batch, count)
    const dropped = uniform(fold(drawn, 'labels'), batch)
    const turned = flip ? uniform(fold(drawn, 'flip'), batch) : null
    const shown = Array.from(rows, (row, i) => ((dropped[i] ?? 0) < dropLabels ? null : (labels?.[row] ?? null)))
    return {
      index,
      shape: [batch, ...shape],
      pictures: gathered(rows, i => (turned?.[i] ?? 1) < 0.5),
      labels: telling(shown, fold(drawn, 'captions')),
    }
  }
}

/** All of them once through, in order. */
export const orderedBatches = function* (
  { count, shape, labels, gathered }: Samples,
  batch: number,
  telling: Telling,
): Generator<PictureBatch> {
  for (let first = 0, index = 0; first < count; first += batch, index++) {
    const rows = Array.from({ length: Math.min(batch, count - first) }, (_, i) => first + i)
    yield {
      index,
      shape: [rows.length, ...shape],
      pictures: gathered(rows, () => false),
      labels: telling(
        rows.map(row => labels?.[row] ?? null),
        null,
      ),
    }
  }
}

/** `randomBatches` of pictures told by class. */
export const randomPictures = (set: PictureSet, options: BatchOptions, key: Key): ((index: number) => PictureBatch) =>
  randomBatches(pictureSamples(set), options, classTelling(set.classes.length), key)

/** `orderedBatches` of pictures told by class. */
export const pictureBatches = (set: PictureSet, batch: number): Generator<PictureBatch> =>
  orderedBatches(pictureSamples(set), batch, classTelling(set.classes.length))
