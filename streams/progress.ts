import { asyncScheduler, defer, map, type OperatorFunction, type TimestampProvider } from 'rxjs'

export interface ProgressOptions<T> {
  /** How much work a value stands for: tokens of a batch; 1 unless said. */
  readonly amount?: (value: T) => number
  /** The amount of the whole run, where it is known. */
  readonly total?: number
  /** The amount done before, when a run resumes. */
  readonly start?: number
  /** The clock: any rxjs scheduler. */
  readonly scheduler?: TimestampProvider
}

export interface Progress<T> {
  readonly value: T
  /** Values of this run. */
  readonly count: number
  /** Amount done, with what was done before. */
  readonly amount: number
  /** Milliseconds since the subscription. */
  readonly elapsed: number
  /** Amount a second in this run; null before the clock has moved. */
  readonly rate: number | null
  /** Milliseconds to go at this rate; null while the rate or the total is unknown. */
  readonly remaining: number | null
}

/** Counts a stream against a clock: what a progress bar shows. */
export const progress =
  <T>({
    amount: amountOf = () => 1,
    total,
    start = 0,
    scheduler = asyncScheduler,
  }: ProgressOptions<T> = {}): OperatorFunction<T, Progress<T>> =>
  source =>
    defer(() => {
      const began = scheduler.now()
      let count = 0
      let done = 0
      return source.pipe(
        map(value => {
          count++
          done += amountOf(value)
          const amount = start + done
          const elapsed = scheduler.now() - began
          const rate = elapsed > 0 ? (done / elapsed) * 1000 : null
          const remaining = rate && total !== undefined ? (Math.max(0, total - amount) / rate) * 1000 : null
          return { value, count, amount, elapsed, rate, remaining }
        }),
      )
    })
