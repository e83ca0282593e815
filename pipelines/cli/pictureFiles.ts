import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { NetworkConfig } from '../../src/codec/denoising.ts'
import { InputError } from '../../src/errors.ts'
import { fitPictures } from '../../src/format/fitPictures.ts'
import { writeGif } from '../../src/format/gif.ts'
import { pictureGrid } from '../../src/format/pictureGrid.ts'
import { joinPictures, type Pictures, toBytes, toSigned } from '../../src/format/pictures.ts'
import { writePng } from '../../src/format/png.ts'
import { onPath, replaceFile } from '../files.ts'
import { readPicture } from '../readPictures.ts'

/** Milliseconds a frame of an animation. */
const DELAY = 80
const LAST_DELAY = 1500
/** The format counts a side in 16 bits. */
const GIF_SIDE = 2 ** 16 - 1
const GIF_PIXELS = 2 ** 28

type Size = Pick<NetworkConfig, 'in_channels' | 'height' | 'width'>

const sizeOf = ({ in_channels: channels, height, width }: Size) => ({ channels, height, width })

/** The pictures of a frame: as they are, or what the model takes them to be. */
export const picturesOf = (values: ArrayLike<number>, size: Size, count: number): Pictures => ({
  ...sizeOf(size),
  count,
  pixels: toBytes(values),
})

/** A PNG file as numbers on [-1, 1], (channels, height, width): cut and shrunk to the model's size. */
export const readFitting = (path: string, size: Size): Float32Array => {
  const { channels, height, width } = sizeOf(size)
  return toSigned(withChannels(fitPictures(readPicture(path), { height, width }), channels))
}

/** Grey of colours by the luma of ITU-R BT.601, colours of grey by repeating it. */
const withChannels = ({ channels, height, width, pixels }: Pictures, wanted: number): Uint8Array => {
  const plane = height * width
  if (channels === wanted) return pixels
  if (channels === 1) return Uint8Array.from({ length: wanted * plane }, (_, i) => pixels[i % plane] ?? 0)
  const luma = [0.299, 0.587, 0.114]
  return Uint8Array.from({ length: plane }, (_, i) =>
    Math.round(luma.reduce((sum, weight, channel) => sum + weight * (pixels[channel * plane + i] ?? 0), 0)),
  )
}

/** A file that cannot be written is an InputError now, not after the work. */
export const expectWritable = (path: string): void =>
  onPath(path, () => {
    accessSync(dirname(resolve(path)), constants.W_OK)
    if (existsSync(path) && statSync(path).isDirectory())
      throw new InputError(`${path}: expected a file, found a folder`)
  })

/** All pictures on one, as PNG. */
export const writeGrid = (path: string, pictures: Pictures, columns: number, zoom: number): void =>
  replaceFile(path, [writePng(pictureGrid(pictures, { columns, zoom }))])

/** Frames that a GIF has no numbers for, or memory no room, are an InputError now, not after the work. */
export const expectAnimation = ({ height, width }: Pick<Pictures, 'height' | 'width'>, frames: number): void => {
  if (Math.max(height, width) > GIF_SIDE || frames * height * width > GIF_PIXELS)
    throw new InputError(
      `--frames: expected sides of at most ${GIF_SIDE} and ${GIF_PIXELS} pixels in all, found ${frames} frames of ${width} x ${height}`,
    )
}

/** Grids in a row as an animated GIF. */
export const writeFrames = async (path: string, grids: readonly Pictures[]): Promise<void> =>
  replaceFile(path, [await writeGif(joinPictures(grids, path), { delay: DELAY, lastDelay: LAST_DELAY })])
