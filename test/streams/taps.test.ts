import test from 'tape'
import { context } from '../../src/context.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { readNow } from '../../src/tensor/tensor.ts'
import { taps } from '../../streams/taps.ts'
import { vector } from './toy.ts'

test('taps: null while nobody watches, a hot stream of names and values while somebody does', t => {
  const { tapped$, ...rest } = taps()
  t.equal(rest.tap, null)
  const watch = taps()
  const x = vector(referenceEngine(), 3)
  const show = () => context({}, { tap: watch.tap }).tap?.('h.0.attn.weights', x)
  t.equal(watch.tap, null, 'an unwatched model takes its fused path')
  show()
  const seen: (readonly [string, number | undefined])[] = []
  const subscriptions = [0, 1].map(() =>
    watch.tapped$.subscribe(({ name, value }) => seen.push([name, readNow(value)[0]])),
  )
  show()
  subscriptions[0]?.unsubscribe()
  show()
  t.same(seen, Array(3).fill(['h.0.attn.weights', 3]))
  subscriptions[1]?.unsubscribe()
  t.equal(watch.tap, null)
  t.ok(tapped$)
  t.end()
})
