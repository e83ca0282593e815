/**
 * Runs the tests: `node --import tsx test/run.ts [--full] [pattern]`. Each *.test.ts is a process of its own, two at a time, the slowest of
 * the last run first; *.full.test.ts only with --full. Ends with one line, `N passed, N failed`, and `, N skipped` where tests said that they could
 * not run. A file that crashes, times out or asserts nothing, without a word why, counts as one failure.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseTap } from './tap.ts'

const WORKERS = 2
const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const durationsPath = join(root, 'node_modules', '.cache', 'fluxion', 'test-durations.json')

const flags = process.argv.slice(2)
const full = flags.includes('--full')
const pattern = flags.find(flag => !flag.startsWith('--')) ?? ''
const timeout = (full ? 15 : 3) * 60_000

const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts') && (full || !name.endsWith('.full.test.ts')))
  .map(name => relative(root, join(here, name)))
  .filter(name => name.includes(pattern))
  .sort()

interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly lines: readonly string[]
  readonly seconds: number
}

const run = (file: string): Promise<Outcome> =>
  new Promise(resolve => {
    const started = process.hrtime.bigint()
    const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const output: string[] = []
    const errors: string[] = []
    child.stdout.setEncoding('utf8').on('data', text => output.push(text))
    child.stderr.setEncoding('utf8').on('data', text => errors.push(text))
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeout)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const report = parseTap(output.join(''))
      const count = report.passed + report.failed
      const broken = late
        ? `did not end within ${timeout / 1000} s`
        : count === 0 && report.skipped.length === 0
          ? 'ran no test'
          : report.planned !== count
            ? `ended before its plan (${code === null ? signal : `exit code ${code}`})`
            : code !== 0 && report.failed === 0
              ? `crashed (${code === null ? signal : `exit code ${code}`})`
              : null
      const lines = [...report.skipped, ...report.failures, ...(broken === null ? [] : [`not ok: the file ${broken}`])]
      const failed = report.failed + (broken === null ? 0 : 1)
      if (failed > 0 && errors.length > 0) lines.push(errors.join('').trimEnd())
      const seconds = Number(process.hrtime.bigint() - started) / 1e9
      resolve({ passed: report.passed, failed, skipped: report.skipped.length, lines, seconds })
    })
  })

/** Seconds each file took when it last ran; a missing or broken record only loses the order. */
const readDurations = (): Map<string, number> => {
  try {
    const found: unknown = JSON.parse(readFileSync(durationsPath, 'utf8'))
    return new Map(Object.entries(Object(found)).map(([name, seconds]) => [name, Number(seconds)]))
  } catch {
    return new Map()
  }
}

const durations = readDurations()
const lastSeconds = (file: string): number => durations.get(file) ?? Number.POSITIVE_INFINITY
const queue = [...files].sort((a, b) => (lastSeconds(a) > lastSeconds(b) ? -1 : 1))

let [passed, failed, skipped] = [0, 0, 0]
const work = async (): Promise<void> => {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const outcome = await run(file)
    passed += outcome.passed
    failed += outcome.failed
    skipped += outcome.skipped
    durations.set(file, outcome.seconds)
    const verdict = outcome.failed === 0 ? '' : `, ${outcome.failed} failed`
    console.log(`${file}: ${outcome.passed} passed${verdict} (${outcome.seconds.toFixed(1)} s)`)
    for (const text of outcome.lines) console.log(text.replace(/^/gm, '  '))
  }
}

await Promise.all(Array.from({ length: WORKERS }, work))
if (files.length === 0) {
  console.log(`no test file matches '${pattern}'`)
  failed++
}
mkdirSync(dirname(durationsPath), { recursive: true })
writeFileSync(durationsPath, JSON.stringify(Object.fromEntries(durations)))
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
process.exitCode = failed === 0 ? 0 : 1
