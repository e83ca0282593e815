/** What the bench says of its rows: all conditions count, and RESULTS.md is what results.json says. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { markdown, readResults } from '../../bench/results.ts'
import { conditions } from '../../bench/row.ts'

const bench = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'bench')

test('a row reaches what all of its conditions ask for', t => {
  const reached = (ratio: number | null, share: number | null) =>
    conditions({
      target: 'ratio >= 1.2',
      value: 0,
      ratio,
      further: [{ what: 'share', target: '>= 0.9', value: share }],
    }).map(([, reached]) => reached)
  t.deepEqual(reached(1.2, 0.9), [true, true], 'both')
  t.deepEqual(reached(1.2, 0.89), [true, false], 'the target alone')
  t.deepEqual(reached(1.19, 0.9), [false, true], 'the further one alone')
  t.deepEqual(reached(null, null), [false, false], 'what was not measured is not reached')
  const [[said]] = conditions({ target: 'value <= 3', value: 3.1, ratio: 9, further: [] })
  t.equal(said, 'value <= 3')
  t.end()
})

test('RESULTS.md is generated from results.json, which says of each row what its figures say', t => {
  const rows = readResults(bench)
  t.equal(readFileSync(join(bench, 'RESULTS.md'), 'utf8'), markdown(rows))
  for (const row of rows)
    t.equal(
      row.reached,
      conditions(row).every(([, reached]) => reached),
      row.name,
    )
  t.end()
})
