import { map, type Observable, takeUntil } from 'rxjs'
import type { Io } from './io.ts'

/** Takes a stream to its end and returns its last value. An interrupt unsubscribes, which stops compute, and rejects with `Interrupted`. */
export const consume = async <T>(
  source: Observable<T>,
  { interrupt$ }: Io,
  use: (value: T) => void = () => {},
): Promise<T | null> => {
  const stop$ = interrupt$.pipe(
    map(interrupted => {
      throw interrupted
    }),
  )
  let last: T | null = null
  await source.pipe(takeUntil(stop$)).forEach(value => {
    last = value
    use(value)
  })
  return last
}
