import type { Pictures } from './pictures.ts'

/** What each of `count` equal pieces of [start, start + length) covers: pixels, and the share of the piece in each. */
const pieces = (
  start: number,
  length: number,
  count: number,
): (readonly (readonly [pixel: number, share: number])[])[] =>
  Array.from({ length: count }, (_, i) => {
    const [from, to] = [start + (i * length) / count, start + ((i + 1) * length) / count]
    const first = Math.floor(from)
    return Array.from({ length: Math.ceil(to) - first }, (_, k): readonly [number, number] => {
      const pixel = first + k
      return [pixel, (Math.min(to, pixel + 1) - Math.max(from, pixel)) / (to - from)]
    })
  })

/**
 * Pictures at another size: the largest part about the middle that has its proportions, each pixel the mean of the area it covers, rounded. A picture of that size
 * is returned as it is.
 */
export const fitPictures = (pictures: Pictures, size: Pick<Pictures, 'height' | 'width'>): Pictures => {
  const { count, channels, height, width, pixels } = pictures
  if (height === size.height && width === size.width) return pictures
  const scale = Math.min(height / size.height, width / size.width)
  const axis = (have: number, want: number) => pieces((have - want * scale) / 2, want * scale, want)
  const [rows, columns] = [axis(height, size.height), axis(width, size.width)]
  const fitted = new Uint8Array(count * channels * size.height * size.width)
  let at = 0
  for (let plane = 0; plane < count * channels; plane++)
    for (const row of rows)
      for (const column of columns) {
        let mean = 0
        for (const [y, down] of row)
          for (const [x, along] of column) mean += down * along * pixels[(plane * height + y) * width + x]
        fitted[at++] = Math.round(mean)
      }
  return { count, channels, ...size, pixels: fitted }
}
