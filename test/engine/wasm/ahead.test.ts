/** What workers read ahead: what followed the last time, as it was split the last time. */
import test from 'tape'
import { Ahead, type Reading } from '../../../src/engine/wasm/ahead.ts'

test('Ahead foretells what was read next the last time', t => {
  const ahead = new Ahead()
  const read = (address: number, shares = 1): Reading | null => ahead.reads(address, address + 8 * shares, 8, 4, shares)
  t.deepEqual(
    [100, 200, 300].map(address => read(address)),
    [null, null, null],
    'nothing is known of the first pass',
  )
  t.equal(read(100)?.last, 208, 'the second follows the first')
  t.equal(read(200, 3)?.last, 308, 'the third the second')
  t.equal(read(300)?.last, 108, 'and the first the last')
  t.equal(read(100)?.last, 224, 'split as it was the last time')
  read(300)
  t.equal(read(100)?.last, 308, 'another order is taken up')
  t.end()
})
