/** Pictures of one size as bytes: 0 is dark, 255 bright; (count, channels, height, width), row-major. One channel is grey, three are red, green, blue. */
import { InputError } from '../errors.ts'

export interface Pictures {
  readonly count: number
  readonly channels: number
  readonly height: number
  readonly width: number
  readonly pixels: Uint8Array
}

/** Pictures with what they show. */
export interface PictureSet extends Pictures {
  /** Class ids, one a picture; null where nothing says. */
  readonly labels: Int32Array | null
  /** Names by class id. */
  readonly classes: readonly string[]
}

/** Pixels of the largest picture that is read or made. */
export const MOST_PIXELS = 2 ** 26

/** Bytes of one picture. */
export const pictureSize = ({ channels, height, width }: Omit<Pictures, 'pixels' | 'count'>): number =>
  channels * height * width

/** Picture number `index`, sharing memory. */
export const pictureAt = (pictures: Pictures, index: number): Pictures => {
  const size = pictureSize(pictures)
  const { channels, height, width, pixels } = pictures
  return { count: 1, channels, height, width, pixels: pixels.subarray(index * size, (index + 1) * size) }
}

/** Joins pictures of one size. `where` names their place in errors. */
export const joinPictures = (parts: readonly Pictures[], where: string): Pictures => {
  const [first] = parts
  if (first === undefined) throw new InputError(`${where}: expected pictures, found none`)
  const { channels, height, width } = first
  const size = pictureSize(first)
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const pixels = new Uint8Array(count * size)
  let at = 0
  for (const part of parts) {
    if (part.channels !== channels || part.height !== height || part.width !== width)
      throw new InputError(
        `${where}: expected pictures of one size, ${describeSize(first)}; found ${describeSize(part)} too`,
      )
    pixels.set(part.pixels, at)
    at += part.pixels.length
  }
  return { count, channels, height, width, pixels }
}

/** A size for messages: 28 x 28 grey. */
export const describeSize = ({ channels, height, width }: Omit<Pictures, 'pixels' | 'count'>): string =>
  `${width} x ${height} ${channels === 1 ? 'grey' : channels === 3 ? 'colour' : `of ${channels} channels`}`

/** Bytes as numbers in [-1, 1], what diffusion models are trained on. */
export const toSigned = (pixels: Uint8Array): Float32Array => Float32Array.from(pixels, value => value / 127.5 - 1)

/** Numbers as bytes: -1 is 0, 1 is 255, others are cut off. */
export const toBytes = (values: ArrayLike<number>): Uint8Array =>
  Uint8Array.from(values, value => Math.min(255, Math.max(0, Math.round((value + 1) * 127.5))))
