import { InputError } from '../errors.ts'
import { MOST_PIXELS, type Pictures, pictureSize } from './pictures.ts'

export interface GridOptions {
  /** Pictures a row; as square as may be unless given. */
  readonly columns?: number
  /** Pixels between pictures and around them. */
  readonly gap?: number
  /** Side of the square that a pixel becomes. */
  readonly zoom?: number
}

/** All pictures on one, in reading order, on a dark ground. One of more than `MOST_PIXELS` is an InputError. */
export const pictureGrid = (
  pictures: Pictures,
  { columns = Math.ceil(Math.sqrt(pictures.count)), gap = 2, zoom = 1 }: GridOptions = {},
): Pictures => {
  const { count, channels, pixels } = pictures
  const size = pictureSize(pictures)
  const [rowStep, columnStep] = [pictures.height * zoom + gap, pictures.width * zoom + gap]
  const height = Math.ceil(count / columns) * rowStep + gap
  const width = Math.min(columns, count) * columnStep + gap
  if (height * width > MOST_PIXELS)
    throw new InputError(`grid: expected at most ${MOST_PIXELS} pixels, found ${width} x ${height}`)
  const grid = new Uint8Array(channels * height * width)
  for (let i = 0; i < count; i++) {
    const top = gap + Math.floor(i / columns) * rowStep
    const left = gap + (i % columns) * columnStep
    for (let channel = 0; channel < channels; channel++)
      for (let y = 0; y < pictures.height * zoom; y++)
        for (let x = 0; x < pictures.width * zoom; x++) {
          const from = (channel * pictures.height + Math.floor(y / zoom)) * pictures.width + Math.floor(x / zoom)
          grid[(channel * height + top + y) * width + left + x] = pixels[i * size + from] ?? 0
        }
  }
  return { count: 1, channels, height, width, pixels: grid }
}
