/** What one test file printed in TAP: counts, failures with their diagnostics, and why something was skipped. */
export interface TapReport {
  readonly passed: number
  readonly failed: number
  /** Each failing assertion: its test, its line and its diagnostics. */
  readonly failures: readonly string[]
  /** Comments that begin with `skipped`, and tests that tape passed over. */
  readonly skipped: readonly string[]
  /** The plan's number of assertions; null if the file ended before it. */
  readonly planned: number | null
}

const DIAGNOSTICS_START = '  ---'
const DIAGNOSTICS_END = '  ...'

export const parseTap = (output: string): TapReport => {
  const failures: string[] = []
  const skipped: string[] = []
  let [passed, failed] = [0, 0]
  let planned: number | null = null
  let title = ''
  let diagnosing: string[] | null = null
  const close = (): void => {
    if (diagnosing !== null) failures.push(diagnosing.join('\n'))
    diagnosing = null
  }
  let inside = false
  for (const line of output.split('\n')) {
    if (inside) {
      diagnosing?.push(line)
      inside = line !== DIAGNOSTICS_END
    } else if (line === DIAGNOSTICS_START) {
      diagnosing?.push(line)
      inside = true
    } else if (/^ok\b/.test(line)) {
      close()
      passed++
    } else if (/^not ok\b/.test(line)) {
      close()
      failed++
      diagnosing = title === '' ? [line] : [title, line]
    } else if (line.startsWith('# ')) {
      close()
      if (/^# (skipped\b|SKIP )/.test(line)) skipped.push(line.slice(2))
      else title = line
    } else if (/^1\.\.\d+$/.test(line)) {
      close()
      planned = Number(line.slice(3))
    }
  }
  close()
  return { passed, failed, failures, skipped, planned }
}
