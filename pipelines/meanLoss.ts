import { last, map, type Observable, scan } from 'rxjs'
import { context, type Named } from '../src/context.ts'
import { fold, type Key } from '../src/random.ts'
import { scope } from '../src/tensor/scope.ts'
import { read, type Shape } from '../src/tensor/tensor.ts'
import { eachBatch } from './eachBatch.ts'
import type { Indexed, Objective } from './trainer.ts'

/** The mean of an objective over batches, weighted by their size; the noise of a batch is its index' own. */
export const meanLoss = <B extends Indexed & { readonly shape: Shape }>(
  objective: Objective<B>,
  parameters: Named,
  source: Iterable<B>,
  noise: Key,
): Observable<number> =>
  eachBatch(source, batch => {
    const count = batch.shape[0] ?? 0
    const { loss } = scope(() => {
      const c = context(parameters, { key: fold(noise, batch.index), differentiable: false })
      return { loss: read(objective(c, batch).value) }
    })
    const weighted = (data: ArrayLike<number>) => ({ count, sum: count * (data[0] ?? Number.NaN) })
    return loss instanceof Promise ? loss.then(weighted) : weighted(loss)
  }).pipe(
    scan((total, next) => ({ count: total.count + next.count, sum: total.sum + next.sum })),
    last(),
    map(({ count, sum }) => sum / count),
  )
