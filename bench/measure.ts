/** Medians, and measurements that alternate so that both sides see the same machine. */

import { setTimeout } from 'node:timers/promises'

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]]
  if (low === undefined || high === undefined) throw new RangeError('the median of no numbers')
  return (low + high) / 2
}

/** The mean of these, for figures that are published as means. */
export const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

/** Milliseconds that `work` takes. */
export const milliseconds = async (work: () => unknown): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Milliseconds before each measurement: OpenMP's threads wait awake for some 8 after their last work, ours for less than 1. */
const SETTLE = 20

export interface Pairs {
  readonly ours: readonly number[]
  /** Empty without a peer. */
  readonly theirs: readonly number[]
}

/**
 * Measures A B A B …, `pairs` of them after `warmUp` pairs that do not count, each once the other side's threads sleep. Each side returns its own
 * figure.
 */
export const alternate = async (
  pairs: number,
  ours: () => number | Promise<number>,
  theirs: (() => number | Promise<number>) | null,
  warmUp = 1,
): Promise<Pairs> => {
  const measured: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
  for (let i = -warmUp; i < pairs; i++) {
    await setTimeout(SETTLE)
    const a = await ours()
    await setTimeout(SETTLE)
    const b = theirs === null ? null : await theirs()
    if (i < 0) continue
    measured.ours.push(a)
    if (b !== null) measured.theirs.push(b)
  }
  return measured
}

/** Throws unless both sides computed the same numbers, within `tolerance` of the greater magnitude (at least 1). */
export const checkEqual = (
  what: string,
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  tolerance: number,
): number => {
  if (ours.length !== theirs.length)
    throw new Error(`${what}: ours has ${ours.length} numbers, the peer ${theirs.length}`)
  let worst = 0
  for (let i = 0; i < ours.length; i++) {
    const [a, b] = [ours[i] ?? Number.NaN, theirs[i] ?? Number.NaN]
    const difference = Math.abs(a - b) / Math.max(1, Math.abs(a), Math.abs(b))
    if (!(difference <= tolerance)) throw new Error(`${what}: number ${i} is ${a} here and ${b} in the peer`)
    worst = Math.max(worst, difference)
  }
  return worst
}

/** log softmax, in f64. */
export const logProbabilities = (logits: ArrayLike<number>): Float64Array => {
  const values = Float64Array.from(logits)
  const most = values.reduce((a, b) => Math.max(a, b))
  const total = most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0))
  return values.map(value => value - total)
}
