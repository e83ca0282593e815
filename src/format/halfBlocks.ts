import type { Pictures } from './pictures.ts'

/** The upper half of a character cell: its colour is the upper pixel, the cell's ground the lower one. */
const UPPER_HALF = '▀'
const RESET = '\u001b[0m'

/** One picture as lines of text for a terminal of 24-bit colour, two rows of pixels a line; an odd last row is on the terminal's own ground. */
export const halfBlocks = ({ channels, height, width, pixels }: Pictures): string => {
  const colour = (x: number, y: number): string =>
    [0, 1, 2].map(channel => pixels[(Math.min(channel, channels - 1) * height + y) * width + x] ?? 0).join(';')
  const cell = (x: number, y: number): string => {
    const lower = y + 1 < height ? `\u001b[48;2;${colour(x, y + 1)}m` : '\u001b[49m'
    return `\u001b[38;2;${colour(x, y)}m${lower}${UPPER_HALF}`
  }
  const lines: string[] = []
  for (let y = 0; y < height; y += 2)
    lines.push(`${Array.from({ length: width }, (_, x) => cell(x, y)).join('')}${RESET}\n`)
  return lines.join('')
}
