import { map } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import test from 'tape'
import { progress } from '../../streams/progress.ts'

test('progress: counts, rate, time left, on an injected clock', t => {
  const scheduler = new TestScheduler((actual, expected) => t.same(actual, expected))
  scheduler.run(({ cold, expectObservable }) => {
    const source = cold('a-b---c|', { a: 10, b: 20, c: 30 })
    const shown = progress<number>({ amount: x => x, total: 100, start: 20, scheduler })
    const numbers = map((p: { amount: number; elapsed: number; rate: number | null; remaining: number | null }) => [
      p.amount,
      p.elapsed,
      p.rate,
      p.remaining,
    ])
    expectObservable(source.pipe(shown, numbers)).toBe('a-b---c|', {
      a: [30, 0, null, null],
      b: [50, 2, 15_000, (50 / 15_000) * 1000],
      c: [80, 6, 10_000, 2],
    })
    expectObservable(
      source.pipe(
        progress({ scheduler }),
        map(p => [p.value, p.count, p.amount, p.remaining]),
      ),
    ).toBe('a-b---c|', { a: [10, 1, 1, null], b: [20, 2, 2, null], c: [30, 3, 3, null] })
  })
  t.end()
})
