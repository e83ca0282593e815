/** Sizes of device buffers. */
import fc from 'fast-check'
import test from 'tape'
import { sizeClass } from '../../../src/engine/gpu/webgpu/buffers.ts'

test('a buffer holds what was asked, a little more, and never more than the device takes', t => {
  const most = 2 ** 31 - 4
  fc.assert(
    fc.property(fc.integer({ min: 0, max: most / 4 }), words => {
      const bytes = sizeClass(4 * words, most)
      return bytes >= 4 * words && bytes <= Math.max(256, 4.5 * words + 256) && bytes <= most && bytes % 4 === 0
    }),
    { examples: [[most / 4], [0], [487_000_000]] },
  )
  t.pass('for every size')
  t.ok(sizeClass(1.9 * 2 ** 30, 2 ** 40) > most, 'negative control: without the limit a class may exceed it')
  t.end()
})
