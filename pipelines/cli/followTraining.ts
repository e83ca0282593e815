import { dirname, join, resolve } from 'node:path'
import type { Observable } from 'rxjs'
import { progress } from '../../streams/index.ts'
import { ensureFolder } from '../files.ts'
import type { RunStep, Snapshot } from '../runTraining.ts'
import { consume } from './consume.ts'
import type { Io } from './io.ts'
import { counted, grouped, type Printer } from './printer.ts'
import { progressBar } from './progressBar.ts'

/** A training over pictures in a folder, ready to run. */
export interface PictureTraining {
  readonly out: string
  readonly inexact: string | null
  readonly run: {
    readonly options: { readonly steps: number; readonly batch: number; readonly accumulate: number }
    readonly from: Snapshot | null
    readonly training: { readonly count: number }
    readonly validation?: { readonly count: number }
  }
}

/** Runs a training over pictures to its end: what goes on as a line or a bar, and a file of what a step shows, which `write` makes. */
export const followTraining = async <S>(
  steps$: Observable<RunStep<S>>,
  { out, inexact, run: { options, from, training, validation } }: PictureTraining,
  write: (path: string, shown: S) => void,
  say: Printer,
  io: Io,
): Promise<void> => {
  const first = from?.step ?? 0
  say.note(`${counted(training.count, 'picture')} to train on, ${grouped(validation?.count ?? 0)} held out`)
  if (inexact !== null) say.note(inexact)
  say.note(
    first > 0
      ? `goes on after step ${first} of ${options.steps}`
      : `${counted(options.steps, 'step')} from the beginning`,
  )
  const amount = options.batch * options.accumulate
  const [start, total] = [first * amount, options.steps * amount]
  const metered = progress<RunStep<S>>({ amount: () => amount, start, total })
  await consume(steps$.pipe(metered, progressBar(io, start, total, 'pictures')), io, ({ value }) => {
    const { step, loss, rate, validation: measured, shown } = value
    const samples = shown === null ? null : join(out, 'samples', `${String(step).padStart(6, '0')}.png`)
    if (samples !== null && shown !== null) {
      ensureFolder(dirname(resolve(samples)))
      write(samples, shown)
    }
    const losses = `step ${step}: training loss ${loss.toFixed(4)}, validation loss ${measured?.toFixed(4)}\n`
    say.resultAboveBar(
      {
        step,
        loss,
        learningRate: rate,
        ...(measured === null ? {} : { validation: measured }),
        ...(samples === null ? {} : { samples }),
      },
      `${measured === null ? '' : losses}${samples === null ? '' : `step ${step}: ${samples}\n`}`,
    )
  })
  say.note(`wrote the model to ${out}`)
}
