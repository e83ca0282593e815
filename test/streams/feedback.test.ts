import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { from, map, mergeMap, Observable, of, Subject, take, throwError } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import test from 'tape'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { scale } from '../../src/kernel/binary.ts'
import { readNow } from '../../src/tensor/tensor.ts'
import { feedback } from '../../streams/feedback.ts'
import { counted, record, S8, S9, S10, S11, S13, S14, S15, S16, S17, same, settle, whole } from '../laws/streams.ts'
import { byEagerLoop, byExpand, byGenerator } from './faulty.ts'
import { toy, type Vector, vector } from './toy.ts'

const few = { numRuns: 25 }
const later = (value: number): Promise<number> => new Promise(resolve => setImmediate(() => resolve(value)))
const reads = fc.constantFrom<(value: number) => number | Promise<number>>(
  x => x,
  x => Promise.resolve(x),
  later,
)
/** One step a frame, from the frame after the subscription. */
const framed = (scheduler: TestScheduler) => ({
  now: () => scheduler.now(),
  schedule: (work: () => void) => scheduler.schedule(work, 1),
  slice: 0,
})

test('S8 take(n) costs n steps, and nothing runs before subscribe', async t => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 50 }), n => S8.holds(feedback, n)),
    few,
  )
  t.notOk(await S8.holds(byEagerLoop, 5), 'control: a loop in subscribe runs to its end')
  t.end()
})

test('S9 100,000 synchronous steps complete', async t => {
  t.ok(await S9.holds(feedback))
  const byExpandHolds = await S9.holds(byExpand, 100_000, 500).catch(() => false)
  t.notOk(byExpandHolds, 'control: expand overflows the stack')
  t.end()
})

test('S10 cancel at any value: no further step, no value, the signal aborted', async t => {
  const places = fc.record({
    turns: fc.integer({ min: 0, max: 4 }),
    every: fc.integer({ min: 1, max: 3 }),
    read: reads,
  })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 }), places, (at, place) => S10.holds(feedback, at, place)),
    few,
  )
  const pending = { turns: 2, every: 20, read: later }
  t.ok(await S10.holds(feedback, 2, pending))
  t.notOk(await S10.holds(byGenerator, 2, pending), 'control: a generator goes on to its next value')
  t.end()
})

test('S10 S15 cancel while a read is pending: its value goes nowhere, memory is freed once it has settled', async t => {
  for (const how of ['resolves', 'rejects'] as const) {
    let settleRead = (): void => {}
    const signals: AbortSignal[] = []
    const { engine, options } = toy()
    let values = 0
    const read = (_: Vector, s: AbortSignal): Promise<number> => {
      signals.push(s)
      return new Promise((resolve, reject) => {
        settleRead = () => (how === 'resolves' ? resolve(1) : reject(new Error('late')))
      })
    }
    const subscription = feedback({ ...options, read }).subscribe(() => values++)
    await settle()
    t.same(
      signals.map(s => s.aborted),
      [false],
    )
    subscription.unsubscribe()
    const { launches, allocated, freed } = engine.counter
    t.ok(allocated > freed, 'the device may still be writing')
    settleRead()
    await settle()
    t.ok(S15.holds(engine.counter), `freed when the read ${how}`)
    t.same([values, engine.counter.launches, signals.map(s => s.aborted)], [0, launches, [true]])
  }
  t.end()
})

test('S11 demand: steps never exceed credits, every credit is answered', async t => {
  const grants = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 8 })
  const law = (drive: typeof feedback) =>
    fc.asyncProperty(grants, fc.integer({ min: 1, max: 20 }), reads, (g, length, read) =>
      S11.holds(drive, g, length, read),
    )
  await fc.assert(law(feedback), few)
  t.ok((await fc.check(law(byGenerator), few)).failed, 'control: a generator has no demand')
  t.end()
})

test('S11 several values a step, or none: one credit is one value, computed values are delivered first', async t => {
  const emits = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 })
  const grants = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(emits, grants, reads, async (each, all, read) => {
      const run = () => counted(each.length, { emits: i => each[i] ?? 0, read })
      const free = (await whole(feedback(run().options))).values
      const demand$ = new Subject<number>()
      const { options, steps } = run()
      const values: number[] = []
      let completed = false
      feedback({ ...options, demand$ }).subscribe({
        next: value => values.push(value),
        complete: () => {
          completed = true
        },
      })
      let granted = 0
      let ok = true
      for (const grant of all) {
        granted += grant
        demand$.next(grant)
        await settle(each.length + 2)
        ok &&= values.length === Math.min(granted, free.length)
        // No step was needed beyond the one that made the last value, unless a credit is still unanswered.
        let needed = 0
        for (let made = 0; needed < each.length && made < granted; needed++) made += each[needed] ?? 0
        ok &&= steps() === needed
      }
      const finished = granted > free.length || (granted === free.length && each.at(-1) !== 0 && granted > 0)
      return ok && same(values, free.slice(0, granted)) && completed === finished
    }),
    few,
  )
  t.end()
})

test('S11 demand: what is not a number of values is an error; its own error and completion', async t => {
  const bad = await whole(feedback({ ...counted(5).options, demand$: of(-1) }))
  t.ok(bad.errors[0] instanceof RangeError)
  const failed = await whole(feedback({ ...counted(5).options, demand$: throwError(() => 'lost') }))
  t.same(failed.errors, ['lost'])
  const { values, ends } = await whole(feedback({ ...counted(5).options, demand$: of(1, 2) }), 50)
  t.same([values.length, ends], [3, []], 'credits stay valid after demand completes; the stream waits')
  t.end()
})

test('S13 every subscription is the same run', async t => {
  t.ok(await S13.holds(feedback(toy(20).options)))
  let seed = 0
  t.notOk(await S13.holds(feedback(counted(9, { read: x => x + seed++ }).options)), 'control: hidden state')
  t.end()
})

test('S14 S15 an error at each step, in a read, in the host: once, and nothing is left', async t => {
  for (let failAt = 0; failAt < 5; failAt++) {
    t.ok(await S14.holds(feedback, failAt))
    const { engine, options } = toy(9, { failAt })
    t.same((await whole(feedback(options))).errors, [new Error(`step ${failAt}`)])
    t.ok(S15.holds(engine.counter))
  }
  const fail = (): never => {
    throw new Error('bad')
  }
  for (const read of [fail, () => Promise.reject(new Error('bad'))]) {
    const { engine, options } = toy(9, { read })
    t.same((await whole(feedback(options))).errors, [new Error('bad')])
    t.ok(S15.holds(engine.counter))
  }
  for (const broken of [
    { host: { init: fail, step: fail } },
    { host: { init: () => 0, step: fail } },
    { device: { init: fail, step: fail } },
  ]) {
    const { engine, options } = toy(9)
    t.same((await whole(feedback({ ...options, ...broken }))).errors, [new Error('bad')])
    t.ok(engine.counter.allocated === engine.counter.freed)
  }
  t.notOk(await S14.holds(byEagerLoop, 3), 'control: a driver that swallows')
  t.end()
})

test('S15 S10 complete, and unsubscribe at every value, free everything and stop the kernels', async t => {
  const { values } = await whole(feedback(toy(12).options))
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.constantFrom('now', 'later'), async (n, how) => {
      const { engine, options } = toy(12, how === 'now' ? {} : { read: r => later(readNow(r)[0] ?? 0) })
      const run = await whole(feedback(options).pipe(take(n)))
      const { launches } = engine.counter
      await settle()
      return S15.holds(engine.counter) && engine.counter.launches === launches && same(run.values, values.slice(0, n))
    }),
    { numRuns: 40 },
  )
  const { engine } = toy(5)
  const leaky = from([1, 2]).pipe(
    map(x => scale(vector(engine, x), 2)),
    map(x => readNow(x)[0]),
  )
  record(leaky)
  t.notOk(S15.holds(engine.counter), 'control: map owns nothing')
  t.end()
})

test('S15 a result that the host passes on, or feeds back, lives as long as it is needed', async t => {
  const engine = referenceEngine()
  const first = vector(engine, 1)
  const run = (silent: number) =>
    whole(
      feedback({
        first,
        device: { init: () => null, step: (state: null, x: Vector): readonly [Vector, null] => [scale(x, 2), state] },
        read: x => x,
        host: {
          init: () => 0,
          step: (n, x: Vector): readonly [{ emit: readonly Vector[]; next: Vector | null }, number] => [
            { emit: n % silent === 0 ? [x] : [], next: n < 7 ? x : null },
            n + 1,
          ],
        },
      }).pipe(map(x => readNow(x)[0])),
    )
  t.same((await run(1)).values, [2, 4, 8, 16, 32, 64, 128, 256])
  t.same((await run(3)).values, [2, 16, 128])
  first.release()
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('S10 1,000 cancels in a row: flat memory', async t => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { engine, options } = toy()
  const cancels = async (count: number) => {
    for (let i = 0; i < count; i++) {
      if (i % 4 === 0) feedback(options).subscribe().unsubscribe()
      else await whole(feedback(options).pipe(take(i % 4)))
    }
    await settle()
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await cancels(1000)
  const after = await cancels(1000)
  t.ok(S15.holds(engine.counter))
  t.ok(after - before < 500_000, `the heap grew by ${after - before} bytes`)
  t.end()
})

test('S16 no value before subscribe returns', async t => {
  t.ok(await S16.holds(feedback(toy(5).options)))
  t.ok(await S16.holds(feedback({ ...toy(5).options, demand$: of(1, 1, 9) })))
  let nested = true
  await whole(
    feedback(toy(3).options).pipe(
      mergeMap(async () => {
        nested &&= await S16.holds(feedback(toy(2).options))
      }),
    ),
  )
  t.ok(nested, 'nor inside another one')
  t.notOk(await S16.holds(byEagerLoop(toy(5).options)), 'control')
  t.end()
})

test('S17 any order of read completions gives the same sequences', async t => {
  const lengths = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
  type Make = (length: number, read: (value: number) => Promise<number>) => Observable<number>
  const law = (make: Make) =>
    fc.asyncProperty(fc.scheduler(), lengths, async (s, all) => {
      const expected = await Promise.all(all.map(async l => (await whole(feedback(counted(l).options))).values))
      const runs = Promise.all(all.map(l => whole(make(l, value => s.schedule(Promise.resolve(value))))))
      await s.waitFor(runs)
      return S17.holds(expected, await runs)
    })
  await fc.assert(
    law((length, read) => feedback(counted(length, { read }).options)),
    few,
  )
  const unordered: Make = (length, read) =>
    new Observable(out => {
      void whole(feedback(counted(length).options)).then(({ values }) =>
        from(values)
          .pipe(mergeMap(value => read(value)))
          .subscribe(out),
      )
    })
  t.ok((await fc.check(law(unordered), few)).failed, 'control: reads side by side')
  t.end()
})

test('marbles: free-running, demand, cancel, error', t => {
  const scheduler = new TestScheduler((actual, expected) => t.same(actual, expected))
  scheduler.run(({ hot, expectObservable }) => {
    const letters = map((_: number, i: number) => 'abcdefgh'[i] ?? '?')
    const letter = (length: number, more: object = {}) =>
      feedback({ ...counted(length).options, scheduler: framed(scheduler), ...more }).pipe(letters)
    expectObservable(letter(3)).toBe('-ab(c|)')
    expectObservable(letter(3, { scheduler })).toBe('(abc|)')
    const cancelled = counted(100)
    expectObservable(feedback({ ...cancelled.options, scheduler: framed(scheduler) }).pipe(letters), '^---!').toBe(
      '-abc',
    )
    expectObservable(letter(100).pipe(take(2))).toBe('-a(b|)')
    expectObservable(letter(9, { scheduler, demand$: hot('--1--2--|') })).toBe('--a--(bc)---')
    expectObservable(letter(2, { scheduler, demand$: hot('--1--2--|') })).toBe('--a--(b|)')
    expectObservable(letter(9, { demand$: hot('----5----') }), '^-------!').toBe('-----abc')
    expectObservable(
      feedback({ ...counted(9, { failAt: 2 }).options, scheduler: framed(scheduler) }).pipe(letters),
    ).toBe('-ab#', undefined, new Error('step 2'))
    const alternate = counted(4, { emits: i => (i + 1) % 2 })
    expectObservable(feedback({ ...alternate.options, scheduler: framed(scheduler) }).pipe(letters)).toBe('-a-b|')
  })
  t.end()
})
