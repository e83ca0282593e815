import { concatMap, defer, last, map, type Observable, of } from 'rxjs'
import { Gate } from '../gate.ts'
import { type TrainingStep, type TrainOptions, train } from '../train.ts'
import type { TrainerState } from '../trainer.ts'

export interface TrainWithSamplesOptions<O, A, F> extends TrainOptions<O, A> {
  /** Samples after every so many steps. */
  readonly sampleEvery: number
  /** A run of the model as it is now, `denoise` or `integrate` with the state's parameters or their average. Its last value is the sample. */
  readonly sample: (state: TrainerState<O>) => Observable<F>
}

export interface SampledStep<O, F> extends TrainingStep<O> {
  /** Where samples are due: the last frame. */
  readonly samples: F | null
}

/** A training run that shows what the model makes, every now and then: while it samples no batch is drawn. Cold. Laws as of `train`. */
export const trainWithSamples = <O, A, F>({
  sampleEvery,
  sample,
  batchAt,
  ...options
}: TrainWithSamplesOptions<O, A, F>): Observable<SampledStep<O, F>> =>
  defer(() => {
    const gate = new Gate()
    return train({ ...options, batchAt: index => gate.pass(() => batchAt(index)) }).pipe(
      concatMap(step => {
        if (step.step % sampleEvery !== 0) return of({ ...step, samples: null })
        return sample(step.state).pipe(
          last(),
          map(samples => ({ ...step, samples })),
          gate.shut(),
        )
      }),
    )
  })
