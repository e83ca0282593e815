/** The laws of randomness, R1-R4, as predicates over any generator, so that a bad one can be shown to fail. */
import type { Key } from '../../src/random.ts'

type Draw = (key: Key, count: number) => ArrayLike<number>

const same = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  x.length === y.length && Array.from(x).every((v, i) => Object.is(v, y[i]))

export const R1 = {
  id: 'R1',
  name: 'pure: the same key gives the same numbers, however often it is read',
  holds: (draw: Draw, key: Key, count: number): boolean => {
    const before = JSON.stringify(key)
    const first = Array.from(draw(key, count))
    return same(first, draw(key, count)) && JSON.stringify(key) === before
  },
}

export const R2 = {
  id: 'R2',
  name: 'split: streams do not depend on the order of their consumption, and differ',
  holds: (
    children: (parent: Key, count: number) => readonly (() => ArrayLike<number>)[],
    parent: Key,
    count: number,
  ) => {
    const forward = children(parent, count).map(read => Array.from(read()))
    const reversed = children(parent, count)
    const backward = [...reversed].reverse().map(read => Array.from(read()))
    backward.reverse()
    const distinct = new Set(forward.map(numbers => numbers.join())).size === count
    return distinct && forward.every((numbers, i) => same(numbers, backward[i] ?? []))
  },
}

/** Largest distance between the empirical distribution of `numbers` and `cdf`, times √n (Kolmogorov and Smirnov). */
export const kolmogorovSmirnov = (numbers: ArrayLike<number>, cdf: (x: number) => number): number => {
  const sorted = Float64Array.from(numbers).sort()
  const n = sorted.length
  const distances = sorted.map((x, i) => Math.max((i + 1) / n - cdf(x), cdf(x) - i / n))
  return distances.reduce((largest, d) => Math.max(largest, d), 0) * Math.sqrt(n)
}

export const R3 = {
  id: 'R3',
  name: 'moments within 4 standard errors and Kolmogorov-Smirnov below its 0.1 % bound, at a fixed seed',
  /** `moments[p]` is E x^(p+1), `spread[p]` the standard deviation of x^(p+1). */
  holds: (
    numbers: ArrayLike<number>,
    moments: readonly number[],
    spread: readonly number[],
    cdf: (x: number) => number,
  ): boolean => {
    const n = numbers.length
    const close = moments.every((moment, p) => {
      let sum = 0
      for (let i = 0; i < n; i++) sum += (numbers[i] ?? 0) ** (p + 1)
      return Math.abs(sum / n - moment) <= (4 * (spread[p] ?? 0)) / Math.sqrt(n)
    })
    return close && kolmogorovSmirnov(numbers, cdf) < 1.95
  },
}

export const R4 = {
  id: 'R4',
  name: 'counter-based: the number at an index is a function of key and index',
  holds: (draw: Draw, at: (key: Key, index: number) => number, key: Key, count: number): boolean =>
    same(
      draw(key, count),
      Array.from({ length: count }, (_, i) => at(key, i)),
    ),
}
