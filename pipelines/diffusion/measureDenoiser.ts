/** Where a diffusion model's network stands under this machine's roofline. */
import { context, type Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { times } from '../../src/tensor/times.ts'
import { type Ceilings, ceilingsOf } from '../ceilings.ts'
import type { OpenedDenoiser } from './denoisingFiles.ts'
import { type MeasuredPictures, measurePictures } from './measurePictures.ts'
import { saidOfNone } from './networkOf.ts'

export interface DenoiserMeasurement extends Ceilings {
  /** The network once, of one picture and of 16. */
  readonly denoise: readonly MeasuredPictures[]
}

/** Denoises pictures of no meaning, and compares their time with what the machine's ceilings allow. Some seconds. */
export const measureDenoiser = async (
  { config, model }: Pick<OpenedDenoiser, 'config' | 'model'>,
  parameters: Named,
  engine: Engine,
): Promise<DenoiserMeasurement> => {
  const ceilings = await ceilingsOf(engine, parameters)
  const { in_channels, height, width } = config.network
  const step = context(parameters, { differentiable: false })
  const denoise = await measurePictures(ceilings, engine, [in_channels, height, width], (x, count) => {
    const noisy = x.share<readonly ['batch', 'channels', 'height', 'width']>()
    return model(step, [noisy, times(new Float32Array(count)), saidOfNone(config, count)]).value
  })
  return { ...ceilings, denoise }
}
