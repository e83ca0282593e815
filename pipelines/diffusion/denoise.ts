import { Observable } from 'rxjs'
import { combine } from '../../operators/diffusion/combine.ts'
import type { Denoiser } from '../../operators/diffusion/denoiser.ts'
import type { Level } from '../../operators/diffusion/level.ts'
import { noiseOf } from '../../operators/diffusion/noise.ts'
import { qSample } from '../../operators/diffusion/qSample.ts'
import type { Memory, Move, Moved, Sampler } from '../../operators/diffusion/sampler/sampler.ts'
import type { Engine, HostData } from '../../src/engine/engine.ts'
import { InputError, NumericError } from '../../src/errors.ts'
import type { Machine } from '../../src/machine.ts'
import { fold, key } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Shape, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type Emission, feedback, type Pace } from '../../streams/index.ts'

/** The samples after one step, on the host. */
export interface Frame {
  /** Steps done, from 1; of `steps`, null where they are chosen on the way. */
  readonly step: number
  readonly steps: number | null
  /** Noise left in the sample: 0 in the last frame. */
  readonly sigma: number
  readonly shape: Shape
  readonly sample: HostData
  /** What the model takes the data to be. */
  readonly predictedX0: HostData
}

/** What can change while a run goes on; the next step follows it. */
export interface DenoiseControls {
  readonly denoiser: Denoiser
  readonly sampler: Sampler
}

export interface DenoiseOptions extends DenoiseControls, Pace {
  readonly engine: Engine
  /** (batch, …) */
  readonly shape: Shape
  /** From the noisiest to the last: one step between each two. */
  readonly levels: readonly Level[]
  /** All that is random follows from it. 0 unless given. */
  readonly seed?: number
  /** Data to start from, noised to the first level (SDEdit); pure noise unless given. */
  readonly init?: ArrayLike<number>
  /** The first noise, row-major; drawn unless given. */
  readonly noise?: ArrayLike<number>
  /** Swaps sampler or denoiser (guidance, condition) while the run goes on. */
  readonly changes$?: Observable<Partial<DenoiseControls>>
}

interface DeviceState {
  readonly x: Tensor
  readonly memory: Memory
}

/** Where a step leads, and its key. */
type Place = Pick<Move, 'from' | 'to' | 'key'>

const START = 'start'
const STEPS = 'steps'

/** Where a run begins: noise at a level, or data noised to it. */
export const noised = (
  { engine, shape, seed, init, noise }: Pick<DenoiseOptions, 'engine' | 'shape' | 'seed' | 'init' | 'noise'>,
  at: Level,
): Tensor =>
  scope(() => {
    const z = noise === undefined ? noiseOf(engine, shape, fold(key(seed ?? 0), START)) : tensor(engine, shape, noise)
    return init === undefined ? combine([at.sigma, z]) : qSample(tensor(engine, shape, init), z, at)
  })

/**
 * Reverse diffusion as feedback: samples and model on the device; levels, keys, sampler and guidance on the host. n steps emit n frames, the last of which is the
 * result. Cold, and a function of its arguments: the same seed gives the same frames (law S13). Unsubscribing stops it within a step, and frees all (laws X10, S10,
 * S15); `demand$` pays for frames one by one. A change takes effect at the next step, so one made while a frame is delivered is replayed by making it at that frame.
 * Samples that are not finite are a `NumericError`.
 */
export const denoise = ({
  engine,
  shape,
  levels,
  seed = 0,
  changes$,
  demand$,
  scheduler,
  ...given
}: DenoiseOptions): Observable<Frame> => {
  const [first, second] = levels
  if (first === undefined || second === undefined)
    throw new InputError(`levels: expected at least two, found ${levels.length}`)
  const steps = levels.length - 1
  const move = (step: number): Place => {
    const [from = first, to = second] = levels.slice(step, step + 2)
    return { from, to, key: fold(fold(key(seed), STEPS), step) }
  }
  return new Observable(out => {
    let controls: DenoiseControls = { denoiser: given.denoiser, sampler: given.sampler }
    const device: Machine<DeviceState, Place, Moved> = {
      init: () => ({ x: noised({ engine, shape, seed, ...given }, first), memory: [] }),
      step: ({ x, memory }, place) => {
        const { denoiser, sampler } = controls
        const [moved, next] = sampler.step(memory, { ...place, x, denoiser })
        return [moved, { x: moved.sample, memory: next }]
      },
    }
    const host: Machine<number, readonly [HostData, HostData], Emission<Frame, Place>> = {
      init: () => 0,
      step: (done, [sample, predictedX0]) => {
        const step = done + 1
        if (!sample.every(Number.isFinite))
          throw new NumericError(`denoising step ${step} of ${steps}: expected finite samples, found NaN or infinity`)
        const sigma = levels[step]?.sigma ?? 0
        const emit = [{ step, steps, sigma, shape, sample, predictedX0 }]
        return [{ emit, next: step < steps ? move(step) : null }, step]
      },
    }
    const frames$ = feedback({
      device,
      read: ({ sample, predictedX0 }) => both(read(sample), read(predictedX0)),
      host,
      first: move(0),
      ...(demand$ === undefined ? {} : { demand$ }),
      ...(scheduler === undefined ? {} : { scheduler }),
    })
    out.add(
      changes$?.subscribe({
        next: change => {
          controls = { ...controls, ...change }
        },
        error: error => out.error(error),
      }),
    )
    out.add(frames$.subscribe(out))
  })
}

/** Both at once where an engine answers at once. */
export const both = <T>(x: T | Promise<T>, y: T | Promise<T>): readonly [T, T] | Promise<readonly [T, T]> =>
  x instanceof Promise || y instanceof Promise ? Promise.all([x, y]) : [x, y]
