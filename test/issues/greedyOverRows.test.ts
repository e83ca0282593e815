/** `rows.map(greedy)` passed each row's index as the largest logit: a second parameter that greedy had, and a search that never ended. */
import test from 'tape'
import { greedy } from '../../operators/sampling/greedy.ts'

test('greedy maps over the rows of a batch', t => {
  const rows = [Float32Array.of(5, 0), Float32Array.of(0, 5), Float32Array.of(-1, -2)]
  t.deepEqual(rows.map(greedy), [0, 1, 0])
  t.end()
})
