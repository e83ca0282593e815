import fc from 'fast-check'
import {
  bufferCount,
  concatMap,
  filter,
  from,
  generate,
  map,
  pairwise,
  Subject,
  scan,
  take,
  tap,
  throwError,
} from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import test from 'tape'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { InputError, UsedAfterFreeError } from '../../src/errors.ts'
import { add, scale } from '../../src/kernel/binary.ts'
import { chain, type Machine, pure } from '../../src/machine.ts'
import { readNow } from '../../src/tensor/tensor.ts'
import { gradients } from '../../streams/gradients.ts'
import { lift } from '../../streams/lift.ts'
import { loop } from '../../streams/loop.ts'
import { record, S6, S7, S13, S15, same } from '../laws/streams.ts'
import { loopByScan, loopWithoutMemory, loopWithSharedState } from './faulty.ts'
import { cell, type Vector, vector } from './toy.ts'

const integers = fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 20 })
/** s' = p s + a,  b = q s - a. */
const machines: fc.Arbitrary<Machine<number, number, number>> = fc
  .tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), fc.integer({ min: 1, max: 9 }))
  .map(([p, q, s0]) => ({ init: () => s0, step: (s, a) => [(q * s - a) % 9973, (p * s + a) % 9973] }))
const first = (x: Vector): number => readNow(x)[0] ?? Number.NaN

test('S6 loop: composition, identity, restart', t => {
  const composes = fc.property(machines, machines, integers, (m, n, xs) => S6.composes(loop, m, n, xs))
  fc.assert(composes)
  fc.assert(fc.property(integers, xs => same(record(from(xs).pipe(loop(pure(x => x)))), record(from(xs)))))
  const restarts = (by: typeof loop) =>
    fc.property(machines, integers, integers, (m, xs, ys) => S6.restarts(by, m, xs, ys))
  fc.assert(restarts(loop))
  t.ok(fc.check(restarts(loopWithoutMemory)).failed, 'control: a loop that forgets')
  t.end()
})

test('S6 loop: composition holds with tensors, on the same memory', t => {
  const engine = referenceEngine()
  const outer: Machine<null, Vector, Vector> = pure(x => scale(x, 3))
  const read = map(first)
  const xs = from([1, 2, 3, 4])
  const together = record(xs.pipe(loop(chain(cell(engine), outer)), read))
  t.same(together, record(xs.pipe(loop(cell(engine)), loop(outer), read)))
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('S7 lift is a functor', t => {
  const functions = fc.func(fc.integer())
  const composes = (by: typeof lift) =>
    fc.property(functions, functions, integers, (f, g, xs) =>
      S7.composes(
        by,
        (x: number) => f(x),
        (x: number) => g(x),
        xs,
      ),
    )
  fc.assert(composes(lift))
  fc.assert(fc.property(integers, xs => S7.identity(lift, xs)))
  let calls = 0
  const counting: typeof lift = f => map(x => (calls++ % 2 === 0 ? f(x) : f(x)))
  t.ok(S7.identity(counting, [1, 2]), 'a plain map is one as well, on values')
  const delayed: typeof lift = f => source =>
    source.pipe(
      pairwise(),
      map(([x]) => f(x)),
    )
  t.ok(fc.check(composes(delayed)).failed, 'control: a lift that drops the last value')
  t.end()
})

test('S13 loop: every subscription starts anew', async t => {
  const m: Machine<number, number, number> = { init: () => 0, step: (s, a) => [s + a, s + a] }
  const xs = from([1, 2, 3])
  t.ok(await S13.holds(xs.pipe(loop(m))))
  t.notOk(await S13.holds(xs.pipe(loopWithSharedState(m))), 'control: shared state')
  t.end()
})

test('S14 S15 loop: an error at each step, in init, and from the source: one terminal event, nothing left', t => {
  for (let failAt = 0; failAt < 6; failAt++) {
    const engine = referenceEngine()
    const run = record(from([1, 2, 3, 4, 5, 6]).pipe(loop(cell(engine, failAt)), map(first)))
    t.same([run.values.length, run.ends, run.errors], [failAt, ['error'], [new Error(`step ${failAt}`)]])
    t.ok(S15.holds(engine.counter))
  }
  const engine = referenceEngine()
  const broken: Machine<Vector, number, Vector> = {
    init: () => {
      vector(engine, 1)
      throw new Error('init')
    },
    step: s => [s, s],
  }
  t.same(record(from([1]).pipe(loop(broken))).errors, [new Error('init')])
  const source = throwError(() => new Error('source'))
  t.same(record(source.pipe(loop(cell(engine)), map(first))).errors, [new Error('source')])
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('S15 loop: complete, unsubscribe at each value, downstream work and flushes leave nothing', t => {
  const run = (by: typeof loop, n: number, length: number) => {
    const engine = referenceEngine()
    const values = record(
      from(Array.from({ length }, (_, i) => i)).pipe(
        by(cell(engine)),
        map(x => add(x, vector(engine, 1))), // downstream work belongs to the emission
        bufferCount(2),
        map(xs => xs.reduce((x, y) => add(x, y))), // also when completion flushes
        map(first),
        take(n),
      ),
    )
    return S15.holds(engine.counter) && values.ends.length === 1
  }
  fc.assert(fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 12 }), (n, l) => run(loop, n, l)))
  t.notOk(run(loopByScan, 3, 9), 'control: scan owns nothing')
  t.end()
})

test('S15 loop: unsubscribing while a value is delivered keeps it until the delivery returns', t => {
  const engine = referenceEngine()
  const inputs = new Subject<number>()
  const seen: number[] = []
  const subscription = inputs.pipe(loop(cell(engine))).subscribe(x => {
    subscription.unsubscribe()
    seen.push(first(add(x, x)))
  })
  inputs.next(2)
  inputs.next(2)
  t.same(seen, [8])
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('an emission lives until the keep-th later one was delivered', t => {
  const sums = (keep: number, width: number) => {
    const engine = referenceEngine()
    const run = record(
      from([1, 2, 3, 4, 5, 6]).pipe(
        lift(i => vector(engine, i), { keep }),
        bufferCount(width, 1),
        filter(xs => xs.length === width),
        map(xs => first(xs.reduce((x, y) => add(x, y)))),
      ),
    )
    return { ...run, clean: S15.holds(engine.counter) }
  }
  t.same(sums(1, 2).values, [3, 5, 7, 9, 11])
  t.same(sums(3, 4).values, [10, 14, 18])
  t.ok(sums(3, 4).clean && sums(1, 2).clean)
  for (const [keep, width] of [
    [0, 2],
    [2, 4],
  ] as const) {
    const { errors, clean } = sums(keep, width)
    t.ok(errors[0] instanceof UsedAfterFreeError, `control: keep ${keep} is too short for ${width}`)
    t.ok(clean)
  }
  for (const keep of [Number.NaN, -1]) t.ok(sums(keep, 2).errors[0] instanceof InputError, `keep ${keep} is refused`)
  t.end()
})

test('a state that is also the output lives as long as the emission', t => {
  const engine = referenceEngine()
  const accumulator: Machine<Vector, number, Vector> = {
    init: () => vector(engine, 0),
    step: (s, a) => {
      const next = add(s, vector(engine, a))
      return [next, next]
    },
  }
  const run = record(
    from([1, 2, 3, 4]).pipe(
      loop(accumulator),
      pairwise(),
      map(([x, y]) => first(x) + first(y)),
    ),
  )
  t.same(run.values, [4, 9, 16])
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('what was made elsewhere is never freed, and a kept input is shared', t => {
  const engine = referenceEngine()
  const parameter = vector(engine, 5)
  const delay: Machine<readonly Vector[], Vector, number> = {
    init: () => [],
    step: (kept, x) => [kept[0] ? first(kept[0]) : -1, [...kept.slice(-1), x.share()]],
  }
  const run = record(
    from([1, 2, 3, 4, 5]).pipe(
      lift(i => scale(parameter, i)),
      loop(delay),
    ),
  )
  t.same(run.values, [-1, 5, 5, 10, 15])
  t.ok(parameter.live)
  parameter.release()
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('a source that emits inside subscribe is stopped, and a source may re-enter', t => {
  let made = 0
  const endless = generate({ initialState: 0, iterate: i => i + 1 }).pipe(tap(() => made++))
  t.same(record(endless.pipe(loop(pure(x => x)), take(3))).values, [0, 1, 2])
  t.equal(made, 3)

  const engine = referenceEngine()
  const inputs = new Subject<number>()
  const seen: number[] = []
  const subscription = inputs.pipe(loop(cell(engine))).subscribe(x => {
    if (seen.push(first(x)) < 5) inputs.next(1)
    vector(engine, 1) // by now its emission may be gone: it must be freed all the same
  })
  inputs.next(1)
  subscription.unsubscribe()
  t.equal(seen.length, 5)
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('marbles: loop keeps the times of its source, and its subscription', t => {
  const scheduler = new TestScheduler((actual, expected) => t.same(actual, expected))
  const count: Machine<number, string, string> = { init: () => 0, step: (n, a) => [`${a}${n}`, n + 1] }
  scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
    const source = cold('  -a-b--c|')
    const values = { x: 'a0', y: 'b1', z: 'c2' }
    expectObservable(source.pipe(loop(count))).toBe('-x-y--z|', values)
    expectObservable(source.pipe(loop(count)), '^---!').toBe('-x-y', values)
    expectObservable(source.pipe(loop(count), take(1))).toBe('-(x|)', values)
    expectObservable(
      source.pipe(
        concatMap(a => [a]),
        loop(
          pure(() => {
            throw 'bad'
          }),
        ),
      ),
    ).toBe('-#', {}, 'bad')
    expectSubscriptions(source.subscriptions).toBe(['^------!', '^---!', '^!', '^!'])
  })
  t.end()
})

test('gradients: the gradients of fixed parameters, kept as long as asked', t => {
  const engine = referenceEngine()
  const w = vector(engine, 2)
  const run = record(
    from([1, 2, 3, 4]).pipe(
      gradients((weight: Vector, x: number) => ({ loss: scale(weight, x), gradient: scale(weight, x * x) }), w, {
        keep: 3,
      }),
      bufferCount(4),
      map(gs => first(gs.map(g => g.gradient).reduce((x, y) => add(x, y)))),
      scan((x, y) => x + y, 0),
    ),
  )
  t.same(run.values, [60])
  w.release()
  t.ok(S15.holds(engine.counter))
  t.end()
})
