import type { Pictures } from './pictures.ts'

/** The upper half of a character cell: its colour is the upper pixel, the cell's ground the lower one. */
const UPPER_HALF = '▀'
const RESET = '\u001b[0m'

/** One picture as lines of text for a terminal of 24-bit colour, two rows of pixels a line; an odd last row is on the terminal's own ground. Colours are set where they change. */
export const halfBlocks = ({ channels, height, width, pixels }: Pictures): string => {
  const colour = (x: number, y: number): string =>
    [0, 1, 2].map(channel => pixels[(Math.min(channel, channels - 1) * height + y) * width + x]).join(';')
  const line = (y: number): string => {
    let [text, upper, lower] = ['', '', '']
    for (let x = 0; x < width; x++) {
      const above = `\u001b[38;2;${colour(x, y)}m`
      const below = y + 1 < height ? `\u001b[48;2;${colour(x, y + 1)}m` : '\u001b[49m'
      text += `${above === upper ? '' : above}${below === lower ? '' : below}${UPPER_HALF}`
      upper = above
      lower = below
    }
    return `${text}${RESET}\n`
  }
  return Array.from({ length: Math.ceil(height / 2) }, (_, i) => line(2 * i)).join('')
}
