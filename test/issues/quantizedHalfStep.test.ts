/** A block whose greatest weight is 127.5 steps of its scale, as tiny ones can be, rounded to 128: in 8 bits -128, the weight's sign turned. */
import test from 'tape'
import { quantizeMatrix } from '../../src/format/quantized/quantizeMatrix.ts'
import { K4 } from '../laws/quantized.ts'

test('K4 of a block whose greatest weight is 127.5 steps', t => {
  // Subnormal binary16 numbers, whose step is 2^-24: the scale nearest to 255 / 127 of them is 2.
  for (const sign of [1, -1]) {
    const weights = Float64Array.of(255, 100, -7, 0).map(x => sign * x * 2 ** -24)
    t.ok(K4.holds(Float32Array.from(weights), quantizeMatrix(Float32Array.from(weights), [1, 4], 1, 'weights')))
  }
  t.end()
})
