/** Where a diffusion model's network stands under this machine's roofline. */
import type { Planes } from '../../operators/convolution/planes.ts'
import { context, type Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { scope } from '../../src/tensor/scope.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { times } from '../../src/tensor/times.ts'
import { type Ceilings, ceilingsOf, type Timed, underCeilings } from '../ceilings.ts'
import type { OpenedDenoiser } from './denoisingFiles.ts'
import { saidOfNone } from './networkOf.ts'

/** The network once, of so many pictures. */
export interface MeasuredDenoising extends Timed {
  readonly pictures: number
}

export interface DenoiserMeasurement extends Ceilings {
  /** Of one picture and of 16. */
  readonly denoise: readonly MeasuredDenoising[]
}

const PICTURES = [1, 16]

/** Denoises pictures of no meaning, and compares their time with what the machine's ceilings allow. Some seconds. */
export const measureDenoiser = async (
  { config, model }: Pick<OpenedDenoiser, 'config' | 'model'>,
  parameters: Named,
  engine: Engine,
): Promise<DenoiserMeasurement> => {
  const ceilings = await ceilingsOf(engine, parameters)
  const { in_channels, height, width } = config.network
  const step = context(parameters, { differentiable: false })
  const pass = async (pictures: number): Promise<MeasuredDenoising> => {
    const shape = [pictures, in_channels, height, width]
    const noisy: Planes = tensor(engine, shape, new Float32Array(pictures * in_channels * height * width))
    const labels = saidOfNone(config, pictures)
    const time = times(new Float32Array(pictures))
    const timed = await underCeilings(ceilings, engine, () => scope(() => model(step, [noisy, time, labels]).value))
    noisy.release()
    return { pictures, ...timed }
  }
  const denoise: MeasuredDenoising[] = []
  for (const pictures of PICTURES) denoise.push(await pass(pictures))
  return { ...ceilings, denoise }
}
