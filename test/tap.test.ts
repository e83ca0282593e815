import test from 'tape'
import { parseTap } from './tap.ts'

const output = `TAP version 13
# first
ok 1 fine
not ok 2 should be equal
  ---
    operator: equal
    expected: 1
    ok 7 not a line of TAP
  ...
# skipped: data is absent (set FLUXION_SHARED)
# skip and clip are no reason to pass over
# SKIP passed over by tape
# second
ok 3 fine

1..3
# tests 3
`

test('a TAP report counts assertions and what was passed over, and keeps the diagnostics of failures', t => {
  const report = parseTap(output)
  t.equal(report.passed, 2)
  t.equal(report.failed, 1)
  t.equal(report.planned, 3)
  t.deepEqual(report.skipped, ['skipped: data is absent (set FLUXION_SHARED)', 'SKIP passed over by tape'])
  t.ok(report.failures[0]?.includes('# first\nnot ok 2 should be equal\n  ---\n    operator: equal'))
  t.equal(report.failures.length, 1)
  t.end()
})

test('a file that stopped before its plan has none', t => {
  t.equal(parseTap('TAP version 13\n# first\nok 1 fine\n').planned, null)
  t.end()
})
