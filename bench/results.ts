/** bench/results.json, merged by name, and bench/RESULTS.md, generated from it. Both are replaced whole, so a crash leaves the last ones. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { conditions, type Result } from './row.ts'

const replace = (path: string, text: string) => {
  const partial = `${path}.${process.pid}.partial`
  writeFileSync(partial, text)
  renameSync(partial, path)
}

/** Recorded rows; those from before rows had further targets have none. */
export const readResults = (folder: string): Result[] => {
  const path = join(folder, 'results.json')
  const rows: Result[] = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []
  return rows.map(row => ({ ...row, further: row.further ?? [] }))
}

export const record = (folder: string, result: Result): void => {
  const rows = [...readResults(folder).filter(row => row.name !== result.name), result]
  rows.sort((a, b) => (a.name < b.name ? -1 : 1))
  replace(join(folder, 'results.json'), `${JSON.stringify(rows, null, 2)}\n`)
  replace(join(folder, 'RESULTS.md'), markdown(rows))
}

/** Four significant digits, without an exponent. */
export const figure = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(4)))

/** A rate's share of a measured peak; null above it, since the peak was none then. */
export const share = (rate: number, peak: number): number | null => (rate > peak ? null : rate / peak)

/** The same to be read. */
export const percent = (rate: number, peak: number): string =>
  `${((100 * rate) / peak).toFixed(0)} %${rate > peak ? ' (MORE THAN THE MEASURED PEAK: measure again)' : ''}`

/** Each condition and whether it is reached, with the word for `not`. */
export const toReach = (row: Result, not: string): string =>
  conditions(row)
    .map(([condition, reached]) => `${condition}: ${reached ? 'reached' : `${not} reached`}`)
    .join(', ')

const HEADINGS = ['row', 'what', 'fluxion', 'peer', 'ratio', 'to reach', 'threads', 'runs', 'commit, date']

/** A Markdown table, columns padded as the formatter wants them; the first row is the heading. */
const aligned = (rows: readonly (readonly string[])[]): string[] => {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const line = (cells: readonly string[], fill: string) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width, fill)).join(' | ')} |`
  const [heading = [], ...body] = rows
  return [line(heading, ' '), line([], '-'), ...body.map(row => line(row, ' '))]
}

export const markdown = (rows: readonly Result[]): string => {
  const machines = [...new Set(rows.map(row => row.machine))]
  const mark = (row: Result) => (machines.length > 1 ? ` [${machines.indexOf(row.machine) + 1}]` : '')
  const table = rows.map(row =>
    [
      `\`${row.name}\`${mark(row)}`,
      row.title,
      `${figure(row.value)} ${row.unit}`,
      row.peerValue === null ? `${row.peer}: absent` : `${row.peer}: ${figure(row.peerValue)} ${row.unit}`,
      row.ratio === null ? '' : `${row.ratio.toFixed(2)}x`,
      toReach(row, 'not'),
      row.threads,
      row.runs,
      `${row.commit}, ${row.date.slice(0, 10)}`,
    ].map(String),
  )
  return [
    '# Results',
    '',
    'Generated from `results.json` by the runs that measured it; do not edit. A ratio above 1 means fluxion is better.',
    '',
    ...aligned([HEADINGS, ...table]),
    '',
    'Each row again:',
    '',
    ...rows.map(row => `- \`${row.command}\`${row.note === '' ? '' : `: ${row.note}`}`),
    '',
    ...machines.map((one, i) => `${machines.length > 1 ? `[${i + 1}] ` : 'Machine: '}${one}.`),
    '',
  ].join('\n')
}
