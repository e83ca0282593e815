import type { Io } from './io.ts'

/** How a command speaks: results to stdout, as text or as JSON lines; notes to stderr. */
export interface Printer {
  /** A result: with `--json` the value, one line; else the text as it is. */
  result(value: object, text: string): void
  /** The same, where a progress bar may stand on the terminal's last line. */
  resultAboveBar(value: object, text: string): void
  /** Text that only makes sense for people: nothing with `--json`. */
  text(text: string): void
  /** A line on stderr. */
  note(line: string): void
}

/** Clears what a progress bar left on its line. */
const CLEAR_LINE = '\r\u001b[K'

export const printer = ({ stdout, stderr }: Io, json: boolean): Printer => {
  const text = (shown: string): void => {
    if (!json && shown !== '') stdout.write(shown)
  }
  const result = (value: object, shown: string): void => {
    if (json) stdout.write(`${JSON.stringify(value)}\n`)
    else text(shown)
  }
  const clear = (): void => {
    if (stderr.isTTY) stderr.write(CLEAR_LINE)
  }
  return {
    text,
    result,
    resultAboveBar: (value, shown) => {
      if (json || shown !== '') clear()
      result(value, shown)
    },
    note: line => {
      clear()
      stderr.write(`${line}\n`)
    },
  }
}

/** A number with thousands separated: 1,024. */
export const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 })

/** 1 picture, 2 pictures. */
export const counted = (count: number, noun: string): string => `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
