/** PNG through fast-png: any depth and palette in, 8 bits a channel out. Transparent pixels are shown on white. */
import { convertIndexedToRgb, type DecodedPng, decode, encode } from 'fast-png'
import * as E from 'fp-ts/lib/Either.js'
import { InputError } from '../errors.ts'
import { MOST_PIXELS, type Pictures } from './pictures.ts'

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
/** Where the header's width and height are: after the signature, a length and `IHDR`. */
const WIDTH_AT = 16
const HEADER = WIDTH_AT + 8

const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, i) => bytes[i] === byte)

/** One picture, grey or colour. `where` names the file in errors. */
export const readPng = (bytes: Uint8Array, where: string): E.Either<InputError, Pictures> => {
  if (!isPng(bytes)) return E.left(new InputError(`${where}: expected a PNG file, found another beginning`))
  if (bytes.length < HEADER)
    return E.left(new InputError(`${where}: expected a PNG header, found ${bytes.length} bytes`))
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [width, height] = [view.getUint32(WIDTH_AT), view.getUint32(WIDTH_AT + 4)]
  // A header that claims more is damaged; nothing is allocated for it.
  if (width * height === 0 || width * height > MOST_PIXELS)
    return E.left(new InputError(`${where}: expected 1 to ${MOST_PIXELS} pixels, found ${width} x ${height}`))
  return E.tryCatch(
    () => planesOf(decode(bytes, { checkCrc: true })),
    error => new InputError(`${where}: damaged PNG: ${error instanceof Error ? error.message : String(error)}`),
  )
}

/** One byte a sample, interleaved. */
const samplesOf = (png: DecodedPng): { readonly samples: ArrayLike<number>; readonly channels: number } => {
  if (png.palette !== undefined) {
    const [colour = []] = png.palette
    return { samples: convertIndexedToRgb(png), channels: colour.length }
  }
  const { data, depth, channels, width, height } = png
  if (depth === 8) return { samples: data, channels }
  if (depth === 16) return { samples: data.map(value => value >> 8), channels }
  // Grey of 1, 2 or 4 bits: each row begins at a byte.
  const [most, rowBytes] = [2 ** depth - 1, Math.ceil((width * depth) / 8)]
  const samples = Uint8Array.from({ length: width * height }, (_, i) => {
    const bit = (i % width) * depth
    const byte = data[Math.floor(i / width) * rowBytes + (bit >> 3)]
    return (((byte >> (8 - depth - (bit & 7))) & most) * 255) / most
  })
  return { samples, channels: 1 }
}

const planesOf = (png: DecodedPng): Pictures => {
  const { width, height } = png
  const { samples, channels: found } = samplesOf(png)
  const size = width * height
  if (samples.length !== size * found) throw new RangeError(`${samples.length} samples for ${width} x ${height} pixels`)
  const hasAlpha = found === 2 || found === 4
  const channels = hasAlpha ? found - 1 : found
  const pixels = new Uint8Array(channels * size)
  for (let i = 0; i < size; i++) {
    const opacity = hasAlpha ? samples[i * found + channels] / 255 : 1
    for (let channel = 0; channel < channels; channel++)
      pixels[channel * size + i] = Math.round(255 + (samples[i * found + channel] - 255) * opacity)
  }
  return { count: 1, channels, height, width, pixels }
}

/** Pixels interleaved, as files have them. */
export const interleaved = ({ channels, height, width, pixels }: Pictures): Uint8Array => {
  const size = height * width
  return Uint8Array.from(
    { length: channels * size },
    (_, i) => pixels[(i % channels) * size + Math.floor(i / channels)],
  )
}

/** The bytes of a PNG file of one picture. */
export const writePng = (picture: Pictures): Uint8Array => {
  const { channels, height, width } = picture
  return encode({ width, height, channels, depth: 8, data: interleaved(picture) })
}
