import fc from 'fast-check'
import { concat, from, NEVER, Observable, of, range, Subject, throwError } from 'rxjs'
import test from 'tape'
import { InputError } from '../../src/errors.ts'
import { feedback } from '../../streams/feedback.ts'
import { iterate, OverflowError, type Policy } from '../../streams/iterate.ts'
import { toReadableStream } from '../../streams/readable.ts'
import { counted, S12, S15, same, settle, whole } from '../laws/streams.ts'
import { toy } from './toy.ts'

const few = { numRuns: 60 }

/** Runs an order of emissions (true) and pulls (false), then completes and drains. The first pull subscribes. */
const run = async (policy: Policy, events: readonly boolean[]) => {
  const source = new Subject<number>()
  const values = iterate(source, policy)
  const pulls = [values.next()]
  const sent: number[] = []
  for (const emit of events) {
    if (emit) {
      source.next(sent.length)
      sent.push(sent.length)
    } else pulls.push(values.next())
    await Promise.resolve()
  }
  source.complete()
  const got: number[] = []
  for (const pull of pulls) {
    const { done, value } = await pull
    if (!done && value !== undefined) got.push(value)
  }
  const rest: number[] = []
  for await (const value of values) rest.push(value)
  return { sent, got: [...got, ...rest], kept: rest.length, ended: (await values.next()).done }
}

test('S12 each loses nothing, latest keeps the last, next keeps nothing', async t => {
  const law = (policy: Policy, as: Policy) =>
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), async events => {
      const { sent, got, kept, ended } = await run(policy, events)
      const bound = { each: sent.length, latest: 1, next: 0 }[policy]
      return S12.holds(as, sent, got) && kept <= bound && ended === true
    })
  for (const policy of ['each', 'latest', 'next'] as const) await fc.assert(law(policy, policy), few)
  t.ok((await fc.check(law('latest', 'each'), few)).failed, 'control: latest loses values')
  t.ok((await fc.check(law('next', 'latest'), few)).failed, 'control: next loses the last one')
  t.end()
})

test('S12 the declared bound: one value more is an error, after the values kept', async t => {
  const source = new Subject<number>()
  const values = iterate(source, 'each', { bound: 3 })
  const first = values.next()
  for (let i = 0; i < 6; i++) source.next(i)
  t.notOk(source.observed, 'unsubscribed')
  t.same(await first, { done: false, value: 0 })
  const got: number[] = []
  try {
    for await (const value of values) got.push(value)
    t.fail('no error')
  } catch (error) {
    t.ok(error instanceof OverflowError)
  }
  t.same(got, [1, 2, 3])
  t.same(await values.next(), { done: true, value: undefined }, 'the error comes once')
  for (const bound of [Number.NaN, -1]) t.throws(() => iterate(source, 'each', { bound }), InputError, `bound ${bound}`)
  t.end()
})

test('S11 S12 a source made from demand computes a value only when it is pulled', async t => {
  const { options, steps } = counted(50)
  const values = iterate(demand$ => feedback({ ...options, demand$ }), 'each', { bound: 1 })
  await settle()
  t.equal(steps(), 0, 'nothing before the first pull')
  for (let n = 1; n <= 5; n++) {
    await values.next()
    await settle()
    t.equal(steps(), n)
  }
  await values.return?.()
  const all: number[] = []
  for await (const value of iterate(demand$ => feedback({ ...counted(50).options, demand$ }), 'each')) all.push(value)
  t.same(all, (await whole(feedback(options))).values)
  t.end()
})

test('S10 S15 leaving a for await loop stops the kernels and frees everything', async t => {
  for (const leave of ['break', 'throw'] as const) {
    const { engine, options } = toy()
    const seen: number[] = []
    try {
      for await (const value of iterate(demand$ => feedback({ ...options, demand$ }), 'each')) {
        if (seen.push(value) < 3) continue
        if (leave === 'break') break
        throw new Error('out')
      }
    } catch (error) {
      t.same(error, new Error('out'))
    }
    const { launches } = engine.counter
    await settle()
    t.equal(seen.length, 3)
    t.ok(S15.holds(engine.counter) && engine.counter.launches === launches)
  }
  t.end()
})

test('S14 iterate: an error after its values, pulls that wait, return before the first pull', async t => {
  const failing = iterate(
    concat(
      of(1, 2),
      throwError(() => new Error('bad')),
    ),
    'each',
  )
  const settled = await Promise.allSettled([failing.next(), failing.next(), failing.next(), failing.next()])
  t.same(
    settled.map(s => (s.status === 'fulfilled' ? s.value.value : s.reason)),
    [1, 2, new Error('bad'), undefined],
  )
  const waiting = iterate(NEVER, 'each')
  const pull = waiting.next()
  await waiting.return?.()
  t.same(await pull, { done: true, value: undefined })

  const unmade = iterate(() => {
    throw new Error('no stream')
  }, 'each')
  const pulls = await Promise.allSettled([unmade.next(), unmade.next()])
  t.same(
    pulls.map(s => (s.status === 'fulfilled' ? s.value.done : s.reason)),
    [new Error('no stream'), true],
    'a source that throws before it makes a stream errors once',
  )

  let subscribed = 0
  const never = iterate(new Observable<number>(() => void subscribed++), 'each')
  await never.return?.()
  t.same(await never.next(), { done: true, value: undefined })
  t.equal(subscribed, 0)

  let count = 0
  for await (const value of iterate(range(0, 100_000), 'each')) count += value >= 0 ? 1 : 0
  t.equal(count, 100_000, 'a long buffer is read in linear time')
  t.end()
})

test('S11 toReadableStream: pull is demand, cancel unsubscribes', async t => {
  const { engine, options } = toy(30)
  const free = (await whole(feedback(toy(30).options))).values
  const stream = toReadableStream(demand$ => feedback({ ...options, demand$ }))
  await settle()
  t.equal(engine.counter.launches, 0, 'nothing before the first read')
  const reader = stream.getReader()
  const perValue: number[] = []
  for (let n = 1; n <= 3; n++) {
    t.same(await reader.read(), { done: false, value: free[n - 1] })
    await settle()
    perValue.push(engine.counter.launches / n)
  }
  t.equal(new Set(perValue).size, 1, 'one step a read')
  await reader.cancel()
  const { launches } = engine.counter
  await settle()
  t.ok(S15.holds(engine.counter) && engine.counter.launches === launches)

  const all: number[] = []
  const fresh = toy(30).options
  await toReadableStream(demand$ => feedback({ ...fresh, demand$ })).pipeTo(
    new WritableStream({ write: value => void all.push(value) }),
  )
  t.same(all, free)
  t.end()
})

test('S14 toReadableStream: plain observables, errors, bounds', async t => {
  const read = async (stream: ReadableStream<number>) => {
    const got: number[] = []
    try {
      for (const reader = stream.getReader(); ; ) {
        const result = await reader.read()
        if (result.done) return { got, error: null }
        got.push(result.value)
      }
    } catch (error) {
      return { got, error }
    }
  }
  t.same(await read(toReadableStream(from([1, 2, 3]))), { got: [1, 2, 3], error: null })
  const failing = concat(
    of(1),
    throwError(() => new Error('bad')),
  )
  t.same(await read(toReadableStream(failing)), { got: [1], error: new Error('bad') })
  const overrun = await read(toReadableStream(range(0, 9), { bound: 4 }))
  t.ok(same(overrun.got, [0, 1, 2, 3, 4]) && overrun.error instanceof OverflowError)
  t.same(await read(toReadableStream(range(0, 9), { policy: 'latest' })), { got: [0, 8], error: null })
  t.end()
})
