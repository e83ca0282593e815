/** Drivers with a known fault: the negative controls of the laws. */
import { EMPTY, expand, from, map, mergeMap, Observable, type OperatorFunction, of, scan } from 'rxjs'
import type { Machine } from '../../src/machine.ts'
import type { Emission, Feedback } from '../../streams/feedback.ts'

/** `expand` recurses when steps are synchronous: it overflows near 900 of them, with or without an error. */
export const byExpand = <DS, HS, A, R, P, B>(options: Feedback<DS, HS, A, R, P, B>): Observable<B> => {
  const { device, read, host, first } = options
  interface Point {
    readonly d: DS
    readonly h: HS
    readonly emission: Emission<B, A>
  }
  const start: Point = { d: device.init(), h: host.init(), emission: { emit: [], next: first } }
  const { signal } = new AbortController()
  return of(start).pipe(
    expand(({ d, h, emission }) => {
      if (emission.next === null) return EMPTY
      const [result, nextD] = device.step(d, emission.next)
      const point = (value: P): Point => {
        const [made, nextH] = host.step(h, value)
        return { d: nextD, h: nextH, emission: made }
      }
      const value = read(result, signal)
      return value instanceof Promise ? from(value.then(point)) : of(point(value))
    }),
    mergeMap(({ emission }) => emission.emit),
  )
}

/** An asynchronous generator is one step ahead of who reads it, has no demand and never hears of an unsubscribe in time. */
export const byGenerator = <DS, HS, A, R, P, B>(options: Feedback<DS, HS, A, R, P, B>): Observable<B> => {
  const { device, read, host, first } = options
  const { signal } = new AbortController()
  async function* run(): AsyncGenerator<B> {
    let d = device.init()
    let h = host.init()
    for (let input: A | null = first; input !== null; ) {
      const [result, nextD]: readonly [R, DS] = device.step(d, input)
      const [{ emit, next }, nextH]: readonly [Emission<B, A>, HS] = host.step(h, await read(result, signal))
      d = nextD
      h = nextH
      input = next
      yield* emit
    }
  }
  return from({ [Symbol.asyncIterator]: run })
}

/** A plain loop inside `subscribe`: nobody can stop it, and it swallows its errors. */
export const byEagerLoop = <DS, HS, A, R, P, B>(options: Feedback<DS, HS, A, R, P, B>): Observable<B> =>
  new Observable(out => {
    const { device, read, host, first } = options
    const { signal } = new AbortController()
    try {
      let d = device.init()
      let h = host.init()
      for (let input: A | null = first; input !== null; ) {
        const [result, nextD]: readonly [R, DS] = device.step(d, input)
        const value = read(result, signal)
        if (value instanceof Promise) return
        const [{ emit, next }, nextH]: readonly [Emission<B, A>, HS] = host.step(h, value)
        d = nextD
        h = nextH
        input = next
        for (const b of emit) out.next(b)
      }
    } catch {
      // The fault.
    }
    out.complete()
  })

/** `loop` with one state for all subscribers. */
export const loopWithSharedState = <S, A, B>(machine: Machine<S, A, B>): OperatorFunction<A, B> => {
  let state = machine.init()
  return map(input => {
    const [output, next] = machine.step(state, input)
    state = next
    return output
  })
}

/** `loop` that forgets. */
export const loopWithoutMemory = <S, A, B>(machine: Machine<S, A, B>): OperatorFunction<A, B> =>
  map(input => machine.step(machine.init(), input)[0])

/** `loop` as `scan`: right values, but nobody owns the tensors. */
export const loopByScan = <S, A, B>(machine: Machine<S, A, B>): OperatorFunction<A, B> => {
  interface Point {
    readonly state: S
    readonly output: B[]
  }
  return source =>
    new Observable(out => {
      const first: Point = { state: machine.init(), output: [] }
      return source
        .pipe(
          scan(({ state }, input: A): Point => {
            const [output, next] = machine.step(state, input)
            return { state: next, output: [output] }
          }, first),
          mergeMap(({ output }) => output),
        )
        .subscribe(out)
    })
}
