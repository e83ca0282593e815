import { map, type Observable, takeUntil } from 'rxjs'
import type { Io } from './io.ts'

/** Takes a stream to its end. An interrupt unsubscribes, which stops compute, and rejects with `Interrupted`. */
export const consume = <T>(source: Observable<T>, { interrupt$ }: Io, use: (value: T) => void): Promise<void> =>
  source
    .pipe(
      takeUntil(
        interrupt$.pipe(
          map(interrupted => {
            throw interrupted
          }),
        ),
      ),
    )
    .forEach(use)
