import {
  concat,
  concatMap,
  EMPTY,
  filter,
  from,
  last,
  map,
  mergeMap,
  type Observable,
  type ObservableInput,
  type OperatorFunction,
  of,
  reduce,
  scan,
  switchMap,
  timer,
} from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import test from 'tape'
import { record, same, whole } from '../laws/streams.ts'

type Chain = <A, B>(f: (a: A) => ObservableInput<B>) => OperatorFunction<A, B>
const chain: Chain = f => concatMap(a => f(a))
const numbers = from([3, 1, 4, 1, 5])
const equal = <T>(x: Observable<T>, y: Observable<T>): boolean => same(record(x), record(y))

test('S1 map: identity and composition, for unary functions', t => {
  const f = (x: number) => x + 1
  const g = (x: number) => x * 10
  t.ok(equal(numbers.pipe(map(x => x)), numbers))
  t.ok(equal(numbers.pipe(map(x => g(f(x)))), numbers.pipe(map(f), map(g))))
  const digits = from(['10', '10', '10'])
  t.notOk(
    equal(digits.pipe(map(Number.parseInt)), digits.pipe(map(x => Number.parseInt(x, 10)))),
    'control: passing the index on breaks it',
  )
  t.end()
})

test('S2 monad: chain = concatMap is lawful on values; switchMap is not', async t => {
  const f = (x: number) => concat(of(x), timer(x % 3).pipe(map(() => x * 2)))
  const g = (x: number) => concat(timer(2 - (x % 3)).pipe(map(() => x + 1)), of(-x))
  t.same(await whole(of(4).pipe(chain(f))), await whole(f(4)), 'left identity')
  t.same(await whole(numbers.pipe(chain(x => of(x)))), await whole(numbers), 'right identity')
  const right = (x: number) => f(x).pipe(chain(g))
  t.same(await whole(numbers.pipe(chain(f), chain(g))), await whole(numbers.pipe(chain(right))), 'associativity')
  t.end()
})

test('S2 controls: concatMap is not associative in time, switchMap not even on values', t => {
  const differs = (by: Chain, inner: Readonly<Record<string, string>>) => {
    let differed = false
    const scheduler = new TestScheduler((x, y) => {
      differed = !same(x, y)
    })
    scheduler.run(({ cold, expectObservable }) => {
      const source = cold('ab---------|')
      const f = (x: string) => cold(inner[x] ?? '|')
      const g = () => cold('--y|')
      expectObservable(source.pipe(by(f), by(g))).toEqual(source.pipe(by((x: string) => f(x).pipe(by(g)))))
    })
    return differed
  }
  t.ok(differs(chain, { a: 'x|', b: '--x|' }), 'the second x is made while y is awaited, or after it')
  t.ok(
    differs(f => switchMap(a => f(a)), { a: 'x|', b: '---x|' }),
    'y at 2 and 6, or at 6 alone',
  )
  t.notOk(
    differs(f => mergeMap(a => f(a)), { a: 'x---|', b: '---x|' }),
    'mergeMap is, with times',
  )
  t.end()
})

test('S3 monoid: concat and EMPTY', t => {
  const [a, b, c] = [of(1, 2), of(3), of(4, 5)]
  t.ok(equal(concat(concat(a, b), c), concat(a, concat(b, c))))
  t.ok(equal(concat(EMPTY, a), a) && equal(concat(a, EMPTY), a))
  t.notOk(equal(concat(a, b), concat(b, a)), 'control: not commutative')
  t.end()
})

test('S4 filterable', t => {
  const odd = (x: number) => x % 2 === 1
  const small = (x: number) => x < 4
  t.ok(equal(numbers.pipe(filter(x => odd(x) && small(x))), numbers.pipe(filter(odd), filter(small))))
  t.ok(equal(numbers.pipe(filter(() => true)), numbers))
  t.notOk(equal(numbers.pipe(filter(x => odd(x) || small(x))), numbers.pipe(filter(odd), filter(small))), 'control')
  t.end()
})

test('S5 scan fusion, and last of scan = reduce', t => {
  const f = (s: number, a: number) => s * 2 + a
  const g = (a: number) => a - 3
  t.ok(equal(numbers.pipe(map(g), scan(f, 1)), numbers.pipe(scan((s, a) => f(s, g(a)), 1))))
  t.ok(equal(numbers.pipe(scan(f, 1), last()), numbers.pipe(reduce(f, 1))))
  t.notOk(equal(numbers.pipe(scan(f, 1), map(g)), numbers.pipe(map(g), scan(f, 1))), 'control: map after is not before')
  t.end()
})
