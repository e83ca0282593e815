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

const layoutOf = (
  { count, height, width }: Pick<Pictures, 'count' | 'height' | 'width'>,
  { columns = Math.ceil(Math.sqrt(count)), gap = 2, zoom = 1 }: GridOptions,
) => {
  if (count === 0) throw new InputError('grid: expected pictures, found none')
  if (![columns, zoom].every(n => Number.isInteger(n) && n > 0) || !Number.isInteger(gap) || gap < 0)
    throw new InputError(`grid: expected whole columns, gap and zoom, found ${columns}, ${gap} and ${zoom}`)
  const [rowStep, columnStep] = [height * zoom + gap, width * zoom + gap]
  const size = {
    height: Math.ceil(count / columns) * rowStep + gap,
    width: Math.min(columns, count) * columnStep + gap,
  }
  if (size.height * size.width > MOST_PIXELS)
    throw new InputError(`grid: expected at most ${MOST_PIXELS} pixels, found ${size.width} x ${size.height}`)
  return { ...size, rowStep, columnStep, columns, gap, zoom }
}

/** The size of a grid of pictures. One of more than `MOST_PIXELS` is an InputError. */
export const gridSize = (
  pictures: Pick<Pictures, 'count' | 'height' | 'width'>,
  options: GridOptions,
): { readonly height: number; readonly width: number } => layoutOf(pictures, options)

/** All pictures on one, in reading order, on a dark ground. See `gridSize`. */
export const pictureGrid = (pictures: Pictures, options: GridOptions = {}): Pictures => {
  const { count, channels, pixels } = pictures
  const size = pictureSize(pictures)
  const { height, width, rowStep, columnStep, columns, gap, zoom } = layoutOf(pictures, options)
  const grid = new Uint8Array(channels * height * width)
  for (let i = 0; i < count; i++) {
    const top = gap + Math.floor(i / columns) * rowStep
    const left = gap + (i % columns) * columnStep
    for (let channel = 0; channel < channels; channel++)
      for (let y = 0; y < pictures.height * zoom; y++)
        for (let x = 0; x < pictures.width * zoom; x++) {
          const from = (channel * pictures.height + Math.floor(y / zoom)) * pictures.width + Math.floor(x / zoom)
          grid[(channel * height + top + y) * width + left + x] = pixels[i * size + from]
        }
  }
  return { count: 1, channels, height, width, pixels: grid }
}
