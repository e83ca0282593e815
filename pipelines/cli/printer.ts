import type { Io } from './io.ts'

/** How a command speaks: results to stdout, as text or as JSON lines; notes to stderr. */
export interface Printer {
  /** A result: with `--json` the value, one line; else the text as it is. */
  result(value: object, text: string): void
  /** Text that only makes sense for people: nothing with `--json`. */
  text(text: string): void
  /** A line on stderr. */
  note(line: string): void
}

/** Clears what a progress bar left on its line. */
const CLEAR_LINE = '\r\u001b[K'

export const printer = ({ stdout, stderr }: Io, json: boolean): Printer => {
  const note = (line: string): void => void stderr.write(`${stderr.isTTY ? CLEAR_LINE : ''}${line}\n`)
  return json
    ? { result: value => void stdout.write(`${JSON.stringify(value)}\n`), text: () => {}, note }
    : { result: (_, text) => void stdout.write(text), text: text => void stdout.write(text), note }
}

/** A number with thousands separated: 1,024. */
export const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 })
