/**
 * The laws of streams, S1-S17, as predicates over any driver, so that a wrong one can be shown to fail.
 * Choice of `chain`: `concatMap`, because token streams are ordered; its associativity holds on values, not on times.
 */
import { isDeepStrictEqual } from 'node:util'
import { concatWith, from, type Observable, type OperatorFunction, Subject, take } from 'rxjs'
import { chain, type Machine } from '../../src/machine.ts'
import type { Emission, Feedback } from '../../streams/feedback.ts'
import type { Policy } from '../../streams/iterate.ts'

/** What an observer saw. */
export interface Run<T> {
  readonly values: T[]
  readonly ends: ('complete' | 'error')[]
  readonly errors: unknown[]
}

/** What has been seen so far; synchronous streams are seen whole. */
export const record = <T>(stream: Observable<T>): Run<T> => {
  const run: Run<T> = { values: [], ends: [], errors: [] }
  stream.subscribe({
    next: value => run.values.push(value),
    error: error => {
      run.errors.push(error)
      run.ends.push('error')
    },
    complete: () => run.ends.push('complete'),
  })
  return run
}

/** The whole of a stream, or what it had shown after `patience` milliseconds without an end. */
export const whole = <T>(stream: Observable<T>, patience = 5000): Promise<Run<T>> =>
  new Promise(resolve => {
    const run: Run<T> = { values: [], ends: [], errors: [] }
    const timer = setTimeout(() => resolve(run), patience)
    const end = (kind: 'complete' | 'error'): void => {
      run.ends.push(kind)
      clearTimeout(timer)
      setImmediate(() => resolve(run))
    }
    stream.subscribe({
      next: value => run.values.push(value),
      error: error => {
        run.errors.push(error)
        end('error')
      },
      complete: () => end('complete'),
    })
  })

/** Lets everything that is on its way happen: microtasks, and a few turns of the event loop. */
export const settle = async (turns = 5): Promise<void> => {
  for (let i = 0; i < turns; i++) await new Promise(resolve => setImmediate(resolve))
}

export const same = (x: unknown, y: unknown): boolean => isDeepStrictEqual(x, y)

export type Loop = <S, A, B>(machine: Machine<S, A, B>) => OperatorFunction<A, B>
export type Lift = <A, B>(f: (input: A) => B) => OperatorFunction<A, B>
/** A driver by feedback: the true one, or a wrong one. */
export type Drive = <DS, HS, A, R, P, B>(options: Feedback<DS, HS, A, R, P, B>) => Observable<B>

/** Plain-valued runs that count what they cost. */
export interface Counted<B> {
  readonly options: Feedback<number, number, number, number, number, B>
  readonly steps: () => number
  readonly aborted: () => boolean
}

/** A run over numbers: value t is a hash of t; step t emits `emits(t)` values and the run ends after `length` steps. */
export const counted = (
  length: number,
  {
    emits = () => 1,
    read = r => r,
    failAt = -1,
  }: {
    readonly emits?: (step: number) => number
    readonly read?: (result: number) => number | Promise<number>
    readonly failAt?: number
  } = {},
): Counted<number> => {
  let steps = 0
  let signal: AbortSignal | null = null
  const hash = (x: number): number => (Math.imul(x ^ (x >>> 7), 0x9e3779b1) + 1) >>> 0
  return {
    steps: () => steps,
    aborted: () => signal?.aborted ?? false,
    options: {
      first: 1,
      device: {
        init: () => 0,
        step: (state, input) => {
          steps++
          if (state === failAt) throw new Error(`step ${state}`)
          return [hash(input + state), state + 1]
        },
      },
      read: (result, s) => {
        signal = s
        return read(result)
      },
      host: {
        init: () => 0,
        step: (t, value): readonly [Emission<number, number>, number] => [
          { emit: Array.from({ length: emits(t) }, (_, i) => value + i), next: t + 1 < length ? value : null },
          t + 1,
        ],
      },
    },
  }
}

export const S6 = {
  id: 'S6',
  name: 'loop is a functor of machines, and a run restarts from any state',
  composes: <S, T, A, B, C>(loop: Loop, m: Machine<S, A, B>, n: Machine<T, B, C>, xs: readonly A[]): boolean =>
    same(record(from(xs).pipe(loop(chain(m, n)))), record(from(xs).pipe(loop(m), loop(n)))),
  restarts: <S, A, B>(loop: Loop, m: Machine<S, A, B>, xs: readonly A[], ys: readonly A[]): boolean => {
    const middle = xs.reduce((state, x) => m.step(state, x)[1], m.init())
    const again: Machine<S, A, B> = { ...m, init: () => middle }
    return same(
      record(from([...xs, ...ys]).pipe(loop(m))),
      record(from(xs).pipe(loop(m), concatWith(from(ys).pipe(loop(again))))),
    )
  },
}

export const S7 = {
  id: 'S7',
  name: 'lift is a functor',
  identity: <A>(lift: Lift, xs: readonly A[]): boolean =>
    same(record(from(xs).pipe(lift((x: A): A => x))), record(from(xs))),
  composes: <A, B, C>(lift: Lift, f: (a: A) => B, g: (b: B) => C, xs: readonly A[]): boolean =>
    same(record(from(xs).pipe(lift((a: A) => g(f(a))))), record(from(xs).pipe(lift(f), lift(g)))),
}

export const S8 = {
  id: 'S8',
  name: 'laziness: take(n) costs n steps, and nothing runs before subscribe',
  holds: async (drive: Drive, n: number, length = n + 20): Promise<boolean> => {
    const { options, steps } = counted(length)
    const stream = drive(options)
    await settle()
    const before = steps()
    const { values } = await whole(stream.pipe(take(n)))
    await settle()
    return before === 0 && values.length === n && steps() === n
  },
}

export const S9 = {
  id: 'S9',
  name: 'stack safety: 100,000 synchronous steps complete',
  holds: async (drive: Drive, length = 100_000, patience = 5000): Promise<boolean> => {
    const { values, ends } = await whole(drive(counted(length).options), patience)
    return values.length === length && same(ends, ['complete'])
  },
}

export const S10 = {
  id: 'S10',
  name: 'cancel: no value and no further step after unsubscribe, and the signal is aborted',
  /** Unsubscribes while value `at` is delivered, or some turns of the event loop later; a step in `every` emits. */
  holds: async (
    drive: Drive,
    at: number,
    {
      turns = 0,
      every = 1,
      read = r => r,
    }: {
      readonly turns?: number
      readonly every?: number
      readonly read?: (result: number) => number | Promise<number>
    } = {},
  ): Promise<boolean> => {
    const emits = (step: number): number => (step % every === every - 1 ? 1 : 0)
    const { options, steps, aborted } = counted(Number.POSITIVE_INFINITY, { read, emits })
    let values = 0
    const then = await new Promise<{ readonly values: number; readonly steps: number }>(resolve => {
      const subscription = drive(options).subscribe(() => {
        if (++values !== at) return
        const cancel = (): void => {
          subscription.unsubscribe()
          resolve({ values, steps: steps() })
        }
        if (turns === 0) cancel()
        else void settle(turns).then(cancel)
      })
    })
    await settle(20)
    return values === then.values && steps() === then.steps && aborted() && (turns > 0 || steps() === at * every)
  },
}

export const S11 = {
  id: 'S11',
  name: 'demand: steps <= credits, a prefix of the free run, and every credit is answered',
  holds: async (
    drive: Drive,
    grants: readonly number[],
    length: number,
    read: (result: number) => number | Promise<number> = r => r,
  ): Promise<boolean> => {
    const free = (await whole(drive(counted(length).options))).values
    const { options, steps } = counted(length, { read })
    const demand$ = new Subject<number>()
    const values: number[] = []
    let granted = 0
    let ok = true
    const subscription = drive({ ...options, demand$ }).subscribe(value => {
      values.push(value)
      ok &&= steps() <= granted
    })
    for (const grant of grants) {
      await settle(12)
      ok &&= steps() <= granted && values.length === Math.min(granted, length)
      granted += grant
      demand$.next(grant)
    }
    await settle(12)
    ok &&= same(values, free.slice(0, granted)) && steps() <= granted
    subscription.unsubscribe()
    return ok
  },
}

const isSubsequence = (xs: readonly unknown[], of: readonly unknown[]): boolean => {
  let i = 0
  for (const y of of) if (i < xs.length && xs[i] === y) i++
  return i === xs.length
}

export const S12 = {
  id: 'S12',
  name: 'policies: each loses nothing, latest yields a subsequence with the last value, next a subsequence',
  holds: (policy: Policy, sent: readonly number[], got: readonly number[]): boolean =>
    policy === 'each'
      ? same(got, sent)
      : isSubsequence(got, sent) && (policy === 'next' || sent.length === 0 || got.at(-1) === sent.at(-1)),
}

export const S13 = {
  id: 'S13',
  name: 'cold: every subscriber sees the same run',
  holds: async (stream: Observable<unknown>): Promise<boolean> => {
    const [first, second] = await Promise.all([whole(stream), whole(stream)])
    return same(first, second) && same(first, await whole(stream))
  },
}

export const S14 = {
  id: 'S14',
  name: 'errors: a throw at any step reaches error, once, after the values before it',
  holds: async (drive: Drive, failAt: number, patience = 5000): Promise<boolean> => {
    const { values, ends, errors } = await whole(drive(counted(failAt + 5, { failAt }).options), patience)
    return values.length === failAt && same(ends, ['error']) && same(errors, [new Error(`step ${failAt}`)])
  },
}

export const S15 = {
  id: 'S15',
  name: 'resources: nothing is left at teardown',
  holds: (counter: { readonly allocated: number; readonly freed: number; readonly liveBytes: number }): boolean =>
    counter.allocated > 0 && counter.allocated === counter.freed && counter.liveBytes === 0,
}

export const S16 = {
  id: 'S16',
  name: 'no value before subscribe returns',
  holds: async (stream: Observable<unknown>): Promise<boolean> => {
    let returned = false
    let early = 0
    await new Promise<void>(resolve => {
      stream.subscribe({
        next: () => {
          if (!returned) early++
        },
        error: () => resolve(),
        complete: () => resolve(),
      })
      returned = true
    })
    return early === 0
  },
}

export const S17 = {
  id: 'S17',
  name: 'interleaving: any order of completions gives the same sequences',
  holds: (expected: readonly (readonly unknown[])[], got: readonly Run<unknown>[]): boolean =>
    same(
      got.map(run => run.values),
      expected,
    ) && got.every(run => same(run.ends, ['complete'])),
}
