import { map, type Observable, scan } from 'rxjs'
import {
  type Bins,
  bitsPerDimension,
  type Denoiser,
  decoderTerm,
  levelAt,
  type NoiseSchedule,
  noiseOf,
  posterior,
  priorTerm,
  qSample,
  stepTerm,
  transition,
} from '../../operators/diffusion/index.ts'
import type { Engine, HostData } from '../../src/engine/engine.ts'
import { fold, key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Shape, tensor } from '../../src/tensor/tensor.ts'
import { batches, type Pace } from '../../streams/index.ts'

export interface VariationalBoundOptions extends Pace {
  readonly engine: Engine
  /** (batch, …) */
  readonly shape: Shape
  /** Data, row-major, in bins. */
  readonly data: ArrayLike<number>
  readonly bins: Bins
  readonly schedule: NoiseSchedule
  readonly denoiser: Denoiser
  /**
   * Of the reverse step, as `ddpm`'s; `learned` takes the model's own. Of the decoder's Gaussian, where the posterior has none, the next step's posterior variance stands in,
   * for the transition's too, as in the code of Ho et al. and of Nichol & Dhariwal.
   */
  readonly variance?: 'posterior' | 'transition' | 'learned'
  readonly seed?: number
}

/** How far the sum is. */
export interface Bound {
  /** Terms added, from the noisiest: the prior's and those of so many steps. */
  readonly steps: number
  /** Nats of the term just added, mean over the batch. */
  readonly term: number
  /** Bits a dimension of all terms so far; of the last emission, the bound. */
  readonly bits: number
}

/**
 * An upper bound on -log p(data) in bits a dimension: the prior's term, then each reverse step's, then the decoder's. One evaluation of the model a step, each at noise of
 * its own: unbiased over seeds. Emits the running sum; cold. Source: Ho et al., arXiv 2006.11239, eq. 5 and 13. Laws S8, S13, S15.
 */
export const variationalBound = ({
  engine,
  shape,
  data,
  bins,
  schedule,
  denoiser,
  variance = 'posterior',
  seed = 0,
  ...pace
}: VariationalBoundOptions): Observable<Bound> => {
  const [batch = 1] = shape
  const count = schedule.betas.length
  const noisiest = levelAt(schedule, count - 1)
  /** Of the posterior and of the transition. */
  const variances = (time: number): readonly [below: number, above: number] => {
    const [from, to] = [levelAt(schedule, time), levelAt(schedule, time - 1)]
    const above = transition(to, from).variance
    if (time > 0) return [posterior(from, to).variance, above]
    const below = count === 1 ? above : posterior(levelAt(schedule, 1), from).variance
    return [below, variance === 'learned' ? above : below]
  }
  const termOf = (time: number, x0: HostData, fraction: HostData | null): number => {
    const [from, to] = [levelAt(schedule, time), levelAt(schedule, time - 1)]
    const [below, above] = variances(time)
    const spread = (i: number): number =>
      variance === 'posterior'
        ? below
        : variance === 'transition'
          ? above
          : below * (above / below) ** (fraction?.[i] ?? 0)
    return time === 0 ? decoderTerm(data, x0, spread, bins) : stepTerm(data, x0, from, to, spread)
  }
  const nats = (time: number): number | Promise<number> => {
    const { x0, fraction } = scope(() => {
      const at = levelAt(schedule, time)
      const noise = noiseOf(engine, shape, fold(key(seed), time))
      const estimate = denoiser(qSample(tensor(engine, shape, data), noise, at), at)
      return { x0: read(estimate.x0), fraction: estimate.fraction === null ? null : read(estimate.fraction) }
    })
    return x0 instanceof Promise || fraction instanceof Promise
      ? Promise.all([x0, fraction]).then(([x, f]) => termOf(time, x, f))
      : termOf(time, x0, fraction)
  }
  const priors = (): number => priorTerm(data, noisiest)
  return batches(index => (index > count ? null : index === 0 ? priors() : nats(count - index)), pace).pipe(
    scan(({ steps, nats: sum }, added) => ({ steps: steps + 1, nats: sum + added / batch, term: added / batch }), {
      steps: -1,
      nats: 0,
      term: 0,
    }),
    map(({ steps, nats: sum, term }) => ({ steps, term, bits: bitsPerDimension(sum, data.length / batch) })),
  )
}
