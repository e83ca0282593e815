import { Presets, SingleBar } from 'cli-progress'
import { defer, finalize, type MonoTypeOperatorFunction, tap } from 'rxjs'
import type { Progress } from '../../streams/index.ts'
import type { Io } from './io.ts'
import { grouped } from './printer.ts'

/** A time in milliseconds as 1:05 or 2:03:04. */
export const clock = (milliseconds: number): string => {
  const seconds = Math.round(milliseconds / 1000)
  const pad = (n: number): string => String(n).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  return `${hours > 0 ? `${hours}:${pad(minutes)}` : minutes}:${pad(seconds % 60)}`
}

const FORMAT = '{bar} {percentage}% | loss {loss} | {rate} {unit}/s | {left} left'

/** Shows a stream of counted amounts and losses as a bar on stderr; nothing where that is no terminal. */
export const progressBar =
  <T extends { readonly loss: number }>(
    { stderr }: Io,
    start: number,
    total: number,
    unit = 'tokens',
  ): MonoTypeOperatorFunction<Progress<T>> =>
  source => {
    if (!stderr.isTTY) return source
    return defer(() => {
      const bar = new SingleBar(
        { format: FORMAT, stream: stderr, barsize: 24, hideCursor: true },
        Presets.shades_classic,
      )
      bar.start(total, start, { loss: '-', rate: '-', left: '-', unit })
      return source.pipe(
        tap(({ value: { loss }, amount, rate, remaining }) =>
          bar.update(amount, {
            loss: loss.toFixed(3),
            rate: rate === null ? '-' : grouped(rate),
            left: remaining === null ? '-' : clock(remaining),
          }),
        ),
        finalize(() => bar.stop()),
      )
    })
  }
