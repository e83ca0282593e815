import fc from 'fast-check'
import { map, Subject, take } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import test from 'tape'
import { type Batches, batches } from '../../streams/batches.ts'
import { S13, S16, same, settle, whole } from '../laws/streams.ts'

/** A source that counts: pulled, and closed. */
const source = (length: number, kind: 'iterable' | 'async' | 'function' | 'promise') => {
  const count = { pulled: 0, closed: 0 }
  const pull = (): IteratorResult<number, undefined> =>
    count.pulled < length ? { done: false, value: count.pulled++ } : { done: true, value: undefined }
  const close = (): IteratorResult<number, undefined> => {
    count.closed++
    return { done: true, value: undefined }
  }
  const indexed = (index: number) => (index < length ? count.pulled++ : null)
  const made: Readonly<Record<typeof kind, Batches<number>>> = {
    iterable: { [Symbol.iterator]: () => ({ next: pull, return: close }) },
    async: { [Symbol.asyncIterator]: () => ({ next: async () => pull(), return: async () => close() }) },
    function: indexed,
    promise: async index => indexed(index),
  }
  return { count, stream: made[kind] }
}
const kinds = fc.constantFrom('iterable' as const, 'async' as const, 'function' as const, 'promise' as const)
const few = { numRuns: 40 }

test('S8 S10 batches: nothing is lost, take(n) pulls n and closes the iterator once', async t => {
  await fc.assert(
    fc.asyncProperty(kinds, fc.nat(12), fc.integer({ min: 1, max: 12 }), async (kind, length, n) => {
      const all = source(length, kind)
      const { values, ends } = await whole(batches(all.stream))
      const part = source(length, kind)
      const taken = await whole(batches(part.stream).pipe(take(n)))
      await settle()
      const early = n <= length && (kind === 'iterable' || kind === 'async')
      return (
        same([values, ends], [Array.from({ length }, (_, i) => i), ['complete']]) &&
        all.count.closed === 0 &&
        same(taken.values, values.slice(0, n)) &&
        part.count.pulled === Math.min(n, length) &&
        part.count.closed === (early ? 1 : 0)
      )
    }),
    few,
  )
  t.end()
})

test('S11 batches: pulls follow demand', async t => {
  await fc.assert(
    fc.asyncProperty(kinds, fc.array(fc.nat(3), { maxLength: 6 }), async (kind, grants) => {
      const { count, stream } = source(10, kind)
      const demand$ = new Subject<number>()
      const values: number[] = []
      const subscription = batches(stream, { demand$ }).subscribe(value => values.push(value))
      let granted = 0
      let ok = true
      for (const grant of [...grants, 0]) {
        await settle()
        ok &&= count.pulled === Math.min(granted, 10) && values.length === count.pulled
        granted += grant
        demand$.next(grant)
      }
      subscription.unsubscribe()
      return ok
    }),
    few,
  )
  t.end()
})

test('S13 S16 batches: an iterable or a function is cold; control: a generator object is not', async t => {
  t.ok(await S13.holds(batches([1, 2, 3])))
  t.ok(await S13.holds(batches(i => (i < 4 ? i * i : null))))
  t.ok(await S16.holds(batches([1, 2, 3])))
  const generator = (function* () {
    yield* [1, 2, 3]
  })()
  t.notOk(await S13.holds(batches(generator)))
  t.end()
})

test('S14 batches: an iterator that throws or rejects errors once and is not closed again', async t => {
  const bad = () => {
    throw new Error('bad')
  }
  let closed = 0
  const close = () => {
    closed++
    return { done: true as const, value: undefined }
  }
  const sources: Batches<number>[] = [
    { [Symbol.iterator]: () => ({ next: bad, return: close }) },
    { [Symbol.iterator]: bad },
    { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('bad')), return: async () => close() }) },
    bad,
    () => Promise.reject(new Error('bad')),
  ]
  for (const each of sources) {
    const { ends, errors } = await whole(batches(each))
    t.same([ends, errors], [['error'], [new Error('bad')]])
  }
  t.equal(closed, 0)
  t.end()
})

test('S10 batches: unsubscribing closes a pending iterator at once; a failing return() is nobody’s', async t => {
  for (const fail of [
    () => Promise.reject(new Error('return')),
    () => {
      throw new Error('return')
    },
  ]) {
    let closed = 0
    const waiting: Batches<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<number>>(() => {}),
        return: () => {
          closed++
          return fail()
        },
      }),
    }
    const subscription = batches(waiting).subscribe()
    await settle()
    subscription.unsubscribe()
    t.equal(closed, 1)
    await settle()
  }
  t.end()
})

test('a synchronous source is not drained: each batch is handled before the next is pulled', async t => {
  const log: string[] = []
  const made = batches((i: number) => (i < 3 && log.push(`pull ${i}`) ? i : null))
  await whole(made.pipe(map(i => log.push(`handle ${i}`))))
  t.same(log, ['pull 0', 'handle 0', 'pull 1', 'handle 1', 'pull 2', 'handle 2'])
  t.end()
})

test('an asynchronous read holds the next batch back when the pull awaits it', async t => {
  const log: string[] = []
  let handled: Promise<void> = Promise.resolve()
  const source = async (i: number) => {
    await handled
    return i < 3 ? i : null
  }
  const read = async (i: number) => {
    log.push(`step ${i}`)
    await settle(3)
    log.push(`read ${i}`)
  }
  await whole(
    batches(source).pipe(
      map(i => {
        handled = read(i)
      }),
    ),
  )
  t.same(log, ['step 0', 'read 0', 'step 1', 'read 1', 'step 2', 'read 2'])
  t.end()
})

test('marbles: batches on demand', t => {
  const scheduler = new TestScheduler((actual, expected) => t.same(actual, expected))
  scheduler.run(({ hot, expectObservable }) => {
    const demand$ = hot('--p-p--q---', { p: 1, q: 2 })
    expectObservable(batches('abc', { demand$, scheduler })).toBe('--a-b--(c|)')
    expectObservable(batches('abc', { demand$, scheduler }), '^----!').toBe('--a-b')
    expectObservable(batches('abc', { scheduler })).toBe('(abc|)')
  })
  t.end()
})
