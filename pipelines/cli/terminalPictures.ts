import { fitPictures } from '../../src/format/fitPictures.ts'
import { halfBlocks } from '../../src/format/halfBlocks.ts'
import { pictureGrid } from '../../src/format/pictureGrid.ts'
import type { Pictures } from '../../src/format/pictures.ts'
import type { Io } from './io.ts'

/** Characters a line where nothing says how many there are. */
const WIDTH = 80
/** Fewer a row are drawn smaller. */
const A_ROW = 5

/** Pictures on a terminal: as many a row as fit, of half the size where that would be fewer than five. */
export const terminalGrid = (pictures: Pictures, columns: number, room: number): Pictures => {
  const fitting = ({ width }: Pictures, gap: number): number =>
    Math.min(columns, Math.floor((room - gap) / (width + gap)))
  const whole = fitting(pictures, 2)
  if (whole >= Math.min(columns, A_ROW)) return pictureGrid(pictures, { columns: whole, gap: 2 })
  const [height, width] = [pictures.height, pictures.width].map(length => Math.ceil(length / 2))
  const small = fitPictures(pictures, { height, width })
  return pictureGrid(small, { columns: Math.max(1, fitting(small, 1)), gap: 1 })
}

export interface TerminalPictures {
  /** Draws over what it drew before, where that can be seen as a whole. */
  readonly frame: (pictures: Pictures) => void
  /** The end: wherever stdout goes, if nothing else tells of it; else where frames were drawn. */
  readonly end: (pictures: Pictures, alone: boolean) => void
}

/** Half blocks on stdout, in so many columns if they fit. */
export const terminalPictures = ({ stdout }: Io, columns: number): TerminalPictures => {
  const terminal = stdout.isTTY === true
  let drawn = 0
  const show = (pictures: Pictures): void => {
    const text = halfBlocks(terminalGrid(pictures, columns, stdout.columns ?? WIDTH))
    stdout.write(`${drawn > 0 ? `\u001b[${drawn}A` : ''}${text}`)
    drawn = text.split('\n').length - 1
  }
  const height = (pictures: Pictures): number =>
    Math.ceil(terminalGrid(pictures, columns, stdout.columns ?? WIDTH).height / 2)
  return {
    frame: pictures => {
      if (terminal && height(pictures) < (stdout.rows ?? 0)) show(pictures)
    },
    end: (pictures, alone) => {
      if (alone || drawn > 0) show(pictures)
    },
  }
}
