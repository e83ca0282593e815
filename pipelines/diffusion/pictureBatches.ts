import { InputError } from '../../src/errors.ts'
import { type PictureSet, type Pictures, pictureSize, toSigned } from '../../src/format/pictures.ts'
import { fold, integers, type Key, uniform } from '../../src/random.ts'
import type { Shape } from '../../src/tensor/tensor.ts'
import { type Tokens, tokens } from '../../src/tensor/tokens.ts'
import type { Indexed } from '../trainer.ts'

/** Pictures on [-1, 1] and what each shows; the number of classes says nothing. */
export interface PictureBatch extends Indexed {
  /** (batch, channels, height, width) */
  readonly shape: Shape
  readonly pictures: Float32Array
  /** (batch, 1) */
  readonly labels: Tokens
}

export interface PictureBatchOptions {
  readonly batch: number
  /** Part of the classes not told. */
  readonly dropLabels: number
  readonly flip: boolean
}

/** Pictures of these rows. */
const gathered = (set: PictureSet, rows: ArrayLike<number>, flipped: (i: number) => boolean): Float32Array => {
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
}

const shapeOf = ({ channels, height, width }: Pictures, batch: number): Shape => [batch, channels, height, width]

/** Batch number `index` of a run: pictures drawn with replacement, a function of the key and the index alone, so a run resumes anywhere. */
export const randomPictures = (
  set: PictureSet,
  { batch, dropLabels, flip }: PictureBatchOptions,
  key: Key,
): ((index: number) => PictureBatch) => {
  if (set.count === 0) throw new InputError('pictures: expected at least one to train on, found none')
  const none = set.classes.length
  return index => {
    const drawn = fold(key, index)
    const rows = integers(fold(drawn, 'rows'), batch, set.count)
    const dropped = uniform(fold(drawn, 'labels'), batch)
    const turned = flip ? uniform(fold(drawn, 'flip'), batch) : null
    const labels = Int32Array.from(rows, (row, i) =>
      (dropped[i] ?? 0) < dropLabels ? none : (set.labels?.[row] ?? none),
    )
    return {
      index,
      shape: shapeOf(set, batch),
      pictures: gathered(set, rows, i => (turned?.[i] ?? 1) < 0.5),
      labels: tokens(labels, [batch, 1]),
    }
  }
}

/** The pictures once through, in order, with their classes. */
export const pictureBatches = function* (set: PictureSet, batch: number): Generator<PictureBatch> {
  const none = set.classes.length
  for (let first = 0, index = 0; first < set.count; first += batch, index++) {
    const rows = Int32Array.from({ length: Math.min(batch, set.count - first) }, (_, i) => first + i)
    yield {
      index,
      shape: shapeOf(set, rows.length),
      pictures: gathered(set, rows, () => false),
      labels: tokens(
        Int32Array.from(rows, row => set.labels?.[row] ?? none),
        [rows.length, 1],
      ),
    }
  }
}
