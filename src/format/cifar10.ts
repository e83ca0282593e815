/**
 * CIFAR-10's binary version: records of a label and a picture of 32 x 32 pixels, all red ones first, then green, then blue. Source: Krizhevsky, "Learning
 * multiple layers of features from tiny images", 2009.
 */
import * as E from 'fp-ts/lib/Either.js'
import { InputError } from '../errors.ts'
import type { PictureSet } from './pictures.ts'

const SIDE = 32
const CHANNELS = 3
const SIZE = CHANNELS * SIDE * SIDE
const RECORD = SIZE + 1

export const cifar10Classes = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
] as const

/** The pictures of one file. `where` names it in errors. */
export const readCifar10 = (bytes: Uint8Array, where: string): E.Either<InputError, PictureSet> => {
  const count = bytes.length / RECORD
  if (count === 0 || !Number.isInteger(count))
    return E.left(new InputError(`${where}: expected records of ${RECORD} bytes, found ${bytes.length} bytes`))
  const pixels = new Uint8Array(count * SIZE)
  const labels = new Int32Array(count)
  for (let i = 0; i < count; i++) {
    const label = bytes[i * RECORD]
    if (label >= cifar10Classes.length)
      return E.left(new InputError(`${where}: record ${i}: expected a label below 10, found ${label}`))
    labels[i] = label
    pixels.set(bytes.subarray(i * RECORD + 1, (i + 1) * RECORD), i * SIZE)
  }
  return E.right({ count, channels: CHANNELS, height: SIDE, width: SIDE, pixels, labels, classes: cifar10Classes })
}
