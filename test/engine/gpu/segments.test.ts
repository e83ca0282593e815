/** The embedding's gradient on engines that only gather: every position is summed once, by the row of its id, in order. */
import fc from 'fast-check'
import test from 'tape'
import { segments } from '../../../src/engine/gpu/kernels/rows.ts'
import { breaks, holds } from '../../property.ts'

const ids = fc.array(fc.nat(8), { maxLength: 40 }).map(values => Int32Array.from(values))

/** Positions of each id, ascending. */
const grouped = (of: Int32Array, { starts, positions }: ReturnType<typeof segments>): boolean =>
  starts.at(-1) === of.length &&
  Array.from({ length: 9 }, (_, row) => [...positions.subarray(starts[row], starts[row + 1])]).every(
    (own, row) => own.join() === [...of.keys()].filter(i => of[i] === row).join(),
  )

test('segments of sorted ids', t => {
  holds(
    t,
    'each row has its own positions, in order',
    fc.property(ids, of => grouped(of, segments(of, 9))),
  )
  breaks(
    t,
    'positions sorted the other way',
    fc.property(ids, of => {
      const { starts, positions } = segments(of, 9)
      return grouped(of, { starts, positions: positions.reverse() })
    }),
  )
  t.end()
})
