/** Cross-entropy a block of positions at a time: the same numbers, in less memory. */
import fc from 'fast-check'
import test from 'tape'
import { unembedding } from '../../operators/embedding.ts'
import type { Hidden } from '../../operators/hidden.ts'
import { blockwiseCrossEntropy } from '../../operators/loss/blockwiseCrossEntropy.ts'
import { crossEntropy } from '../../operators/loss/crossEntropy.ts'
import { compose } from '../../src/compose.ts'
import { context } from '../../src/context.ts'
import { shapeEngine } from '../../src/engine/shape/engine.ts'
import { zeros } from '../../src/kernel/fill.ts'
import type { Operator } from '../../src/operator.ts'
import { Region } from '../../src/tensor/region.ts'
import { scope } from '../../src/tensor/scope.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { within } from '../laws/check.ts'
import { finiteDifference } from '../laws/operator.ts'
import { breaks, holds } from '../property.ts'
import { close, engine, type Numbers, numbers, random } from './support.ts'

interface Case {
  readonly positions: number
  /** Below 0: ignored. */
  readonly targets: Numbers
  readonly labelSmoothing: number
  readonly seed: number
}

const [VOCABULARY, WIDTH, TIME] = [7, 3, 11]
const head = unembedding({ name: 'wte', vocabulary: VOCABULARY })

test('blockwise cross-entropy is the cross-entropy of all logits', t => {
  const cases: fc.Arbitrary<Case> = fc.record({
    positions: fc.integer({ min: 1, max: 2 * TIME + 1 }),
    targets: fc.array(fc.integer({ min: -4, max: VOCABULARY - 1 }), { minLength: 2 * TIME, maxLength: 2 * TIME }),
    labelSmoothing: fc.constantFrom(0, 0.125),
    seed: fc.nat(1000),
  })
  const both = ({ positions, targets, labelSmoothing, seed }: Case) =>
    scope(() => {
      const ids = tokens(targets.map(id => (id < 0 ? -100 : id)))
      const c = context({ 'wte.weight': random([VOCABULARY, WIDTH], seed) })
      const hidden: Hidden = random([2, TIME, WIDTH], seed + 1)
      const results = [
        compose(head, crossEntropy(ids, { labelSmoothing })),
        blockwiseCrossEntropy(head, ids, { labelSmoothing, positions }),
      ].map(loss => {
        const { value, pullback } = loss(c, hidden)
        const [gradient, dHidden] = pullback(tensor(engine, [], [3]))
        return [value, dHidden, ...Object.values(gradient)].map(numbers)
      })
      return results
    })
  holds(
    t,
    'D9, L8 value, gradient of the head and cotangent of the hidden positions are equal',
    fc.property(cases, one => {
      const [whole, blocks] = both(one)
      return whole !== undefined && blocks?.length === 3 && blocks.every((x, i) => close(x, whole[i] ?? [], 1e-12))
    }),
  )
  breaks(
    t,
    'those of other targets are not',
    fc.property(cases, one => {
      const [whole] = both({ ...one, targets: one.targets.map(id => (Math.max(0, id) + 1) % VOCABULARY) })
      const [, blocks] = both(one)
      return close(blocks?.[1] ?? [], whole?.[1] ?? [], 1e-12)
    }),
  )
  const ids = tokens(Array.from({ length: 2 * TIME }, (_, i) => (i % 5 === 0 ? -100 : (3 * i) % VOCABULARY)))
  within(
    t,
    'D4 a block of 4 positions',
    finiteDifference(
      blockwiseCrossEntropy(head, ids, { positions: 4 }),
      context({ 'wte.weight': random([VOCABULARY, WIDTH], 1) }),
      random<readonly ['batch', 'time', 'width']>([2, TIME, WIDTH], 2),
    ),
  )
  t.end()
})

test('blockwise cross-entropy never holds all logits', t => {
  const shapes = shapeEngine()
  const [vocabulary, time, positions] = [5000, 512, 64]
  const peakOf = (loss: Operator<Hidden, Tensor<readonly []>>): number => {
    const made = new Region()
    made.run(() => {
      const c = context({ 'wte.weight': zeros(shapes, [vocabulary, WIDTH]) })
      const hidden = zeros<readonly ['batch', 'time', 'width']>(shapes, [1, time, WIDTH])
      shapes.counter.peakBytes = shapes.counter.liveBytes
      scope(() => loss(c, hidden).pullback(zeros(shapes, []))[0])
    })
    made.close()
    return shapes.counter.peakBytes
  }
  const large = unembedding({ name: 'wte', vocabulary })
  const ids = tokens(new Int32Array(time))
  const logits = 4 * vocabulary * time
  const blocks = peakOf(blockwiseCrossEntropy(large, ids, { positions }))
  // A block's logits and their gradient, the sum of the head's gradient and a block's, and the hidden positions.
  const most = (2 * positions * logits) / time + 3 * 4 * vocabulary * WIDTH + 6 * 4 * time * WIDTH
  t.ok(blocks <= most, `${blocks} bytes, of ${logits} of all logits`)
  t.ok(peakOf(compose(large, crossEntropy(ids))) > 2 * logits, 'negative control: all at once are held twice')
  t.equal(shapes.counter.allocated - shapes.counter.freed, 0, 'S15 everything allocated was freed')
  t.end()
})
