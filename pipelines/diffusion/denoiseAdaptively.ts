import { map, type Observable } from 'rxjs'
import { combine } from '../../operators/diffusion/combine.ts'
import { type Level, levelOfRatio, type NoiseSchedule, noiseRatio } from '../../operators/diffusion/index.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type DenoiseOptions, type Frame, noised } from './denoise.ts'
import { integrate } from './integrate.ts'

export interface AdaptiveOptions
  extends Pick<DenoiseOptions, 'engine' | 'shape' | 'seed' | 'init' | 'noise' | 'demand$' | 'scheduler'> {
  /** Its x0 and noise explain the sample; they do not where x0 is clipped and noise kept. */
  readonly denoiser: DenoiseOptions['denoiser']
  readonly schedule: NoiseSchedule
  /** Of the schedule: where to begin, and the least noisy one. */
  readonly from: Level
  readonly to: Level
  /** What a step may be wrong by, absolute and relative. */
  readonly tolerance: number
}

/**
 * Reverse diffusion along the probability-flow ODE by Dormand and Prince's method, whose steps are as long as a tolerance allows. A variance-preserving path is a circle,
 * alpha = cos φ and sigma = sin φ, so (see operators/diffusion/sampler/probabilityFlow.ts)
 *
 *   dx/dφ = cos φ ε̂ - sin φ x̂0,   x̂0 = cos φ x - sin φ dx/dφ
 *
 * which is the prediction v. A frame an accepted step, the last one x̂0 at `to`. Cold, and a function of its arguments. See `integrate`.
 */
export const denoiseAdaptively = ({
  denoiser,
  schedule,
  from,
  to,
  tolerance,
  seed = 0,
  demand$,
  scheduler,
  ...start
}: AdaptiveOptions): Observable<Frame> => {
  const levelAtRatio = levelOfRatio(schedule)
  const [first, end] = [from, to].map(level => Math.atan(noiseRatio(level)))
  const slope = (x: Tensor, angle: number): Tensor =>
    scope(() => {
      const at = levelAtRatio(Math.tan(angle))
      const { x0, noise } = denoiser(x, at)
      return combine([at.alpha, noise], [-at.sigma, x0])
    })
  return integrate({
    slope,
    start: () => noised({ ...start, seed }, from),
    from: first,
    to: end,
    absolute: tolerance,
    relative: tolerance,
    ...(demand$ === undefined ? {} : { demand$ }),
    ...(scheduler === undefined ? {} : { scheduler }),
  }).pipe(
    map(({ t: angle, x, slope: d }, i): Frame => {
      const [alpha, sigma] = [Math.cos(angle), Math.sin(angle)]
      const predictedX0 = x.map((value, k) => alpha * value - sigma * (d[k] ?? 0))
      const ended = angle === end
      return {
        step: i + 1,
        steps: null,
        sigma: ended ? 0 : sigma,
        shape: start.shape,
        sample: ended ? predictedX0 : x,
        predictedX0,
      }
    }),
  )
}
