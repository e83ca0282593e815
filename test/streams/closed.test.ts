import fc from 'fast-check'
import { bufferCount, delay, filter, from, identity, map, pipe, take, tap } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { UsedAfterFreeError } from '../../src/errors.ts'
import { add, multiply, scale } from '../../src/kernel/binary.ts'
import { accumulate } from '../../src/kernel/inPlace.ts'
import type { Machine } from '../../src/machine.ts'
import { readNow } from '../../src/tensor/tensor.ts'
import { closed, type Trainer } from '../../streams/closed.ts'
import { loop } from '../../streams/loop.ts'
import { record, S15, same } from '../laws/streams.ts'
import { type Vector, vector } from './toy.ts'

interface Gradient {
  readonly loss: Vector
  readonly gradient: Vector
}

/** Least squares towards each batch: loss = (w - x)², gradient = 2 (w - x), w ← w - 0.1 gradient, in place. */
const trainer = (engine: Engine, failAt = -1): Trainer<readonly [Vector, number], number, Gradient, number> => ({
  init: () => [vector(engine, 4), 0],
  gradient: ([w], x) => {
    const error = add(w, vector(engine, -x))
    return { loss: multiply(error, error), gradient: scale(error, 2) }
  },
  update: ([w, t], { gradient }) => {
    if (t === failAt) throw new Error(`update ${t}`)
    const next = accumulate(w, gradient, -0.1)
    return [readNow(next)[0] ?? 0, [next, t + 1]]
  },
})

const whole = (engine: Engine): Machine<readonly [Vector, number], number, number> => {
  const { init, gradient, update } = trainer(engine)
  return { init, step: (state, x) => update(state, gradient(state, x)) }
}

const xs = fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 12 })
const mean = (gs: readonly Gradient[]): Gradient => ({
  loss: scale(
    gs.map(g => g.loss).reduce((x, y) => add(x, y)),
    1 / gs.length,
  ),
  gradient: scale(
    gs.map(g => g.gradient).reduce((x, y) => add(x, y)),
    1 / gs.length,
  ),
})

test('S6 closed with nothing between = loop of both halves', t => {
  const law = (between: (g: Gradient) => Gradient) =>
    fc.property(xs, batches => {
      const engine = referenceEngine()
      const one = record(from(batches).pipe(closed(trainer(engine), map(between))))
      return same(one, record(from(batches).pipe(loop(whole(engine))))) && S15.holds(engine.counter)
    })
  fc.assert(law(g => g))
  t.ok(fc.check(law(g => ({ ...g, gradient: scale(g.gradient, 0.5) }))).failed, 'control: halved gradients')
  t.end()
})

test('D9 accumulation: the mean of four gradients at one state is one step', t => {
  const engine = referenceEngine()
  const accumulate4 = pipe(bufferCount<Gradient>(4), map(mean))
  const { values } = record(from([1, 2, 3, 6, 5, 5]).pipe(closed(trainer(engine), accumulate4, { keep: 3 })))
  const first = 4 - 0.2 * (4 - 3)
  t.ok(Math.abs((values[0] ?? 0) - first) < 1e-12, 'the mean of 1, 2, 3, 6 is 3')
  t.ok(Math.abs((values[1] ?? 0) - (first - 0.2 * (first - 5))) < 1e-12, 'the rest, flushed at completion')
  t.equal(values.length, 2)
  t.ok(S15.holds(engine.counter))

  const short = referenceEngine()
  const run = record(from([1, 2, 3, 6]).pipe(closed(trainer(short), accumulate4)))
  t.ok(run.errors[0] instanceof UsedAfterFreeError, 'control: kept for one emission only')
  t.ok(S15.holds(short.counter))
  t.end()
})

test('skip, clip and watch are rxjs operators; a skipped batch updates nothing', t => {
  const engine = referenceEngine()
  const losses: number[] = []
  const through = pipe(
    tap((g: Gradient) => losses.push(readNow(g.loss)[0] ?? Number.NaN)),
    filter((g: Gradient) => (readNow(g.gradient)[0] ?? 0) > 0),
    map((g: Gradient) => ({ ...g, gradient: scale(g.gradient, 0) })),
  )
  t.same(record(from([1, 9, 2]).pipe(closed(trainer(engine), through))).values, [4, 4])
  t.same(losses, [9, 25, 4])
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('S14 S15 closed: errors in each place, and unsubscribing at each value', t => {
  const batches = from([1, 2, 3, 4, 5])
  for (let n = 0; n < 4; n++) {
    const engine = referenceEngine()
    const run = record(batches.pipe(closed(trainer(engine, n), identity)))
    t.same([run.values.length, run.ends, run.errors], [n, ['error'], [new Error(`update ${n}`)]])
    t.equal(record(batches.pipe(closed(trainer(engine), identity), take(n + 1))).values.length, n + 1)
    t.ok(S15.holds(engine.counter))
  }
  const fail = (): never => {
    throw new Error('bad')
  }
  const engine = referenceEngine()
  t.same(record(batches.pipe(closed({ ...trainer(engine), init: fail }, identity))).ends, ['error'])
  t.same(record(batches.pipe(closed({ ...trainer(engine), gradient: fail }, identity))).ends, ['error'])
  t.same(record(batches.pipe(closed(trainer(engine), map(fail)))).ends, ['error'])
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('a state may keep the gradient it was given', t => {
  const engine = referenceEngine()
  const keeping: Trainer<readonly Vector[], number, Vector, number> = {
    init: () => [],
    gradient: (_, x) => vector(engine, x),
    update: (kept, g) => [kept.reduce((sum, k) => sum + (readNow(k)[0] ?? 0), 0), [...kept, g]],
  }
  t.same(record(from([1, 2, 3, 4, 5]).pipe(closed(keeping, identity))).values, [0, 1, 3, 6, 10])
  t.ok(S15.holds(engine.counter))
  t.end()
})

test('marbles: delayed gradients', t => {
  const scheduler = new TestScheduler((actual, expected) => t.same(actual, expected))
  const count: Trainer<number, string, string, string> = {
    init: () => 0,
    gradient: (n, a) => `${a}${n}`,
    update: (n, g) => [g, n + 1],
  }
  scheduler.run(({ cold, expectObservable }) => {
    const source = cold('a-b-c-|')
    const values = { p: 'a0', q: 'b1', r: 'c2', x: 'b0', y: 'c0' }
    expectObservable(source.pipe(closed(count, identity))).toBe('p-q-r-|', values)
    expectObservable(source.pipe(closed(count, delay(5)))).toBe('-----p-x-(y|)', values)
    expectObservable(source.pipe(closed(count, identity)), '^--!').toBe('p-q', values)
  })
  t.end()
})
