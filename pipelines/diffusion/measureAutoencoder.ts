/** Where an autoencoder stands under this machine's roofline. */
import { latentSize, type VaeConfig } from '../../src/codec/vae.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { type Ceilings, ceilingsOf } from '../ceilings.ts'
import { autoencoderOf } from './latent.ts'
import { type MeasuredPictures, measurePictures } from './measurePictures.ts'
import { vae } from './vae.ts'

export interface AutoencoderMeasurement extends Ceilings {
  /** Of one picture and of 16. */
  readonly encode: readonly MeasuredPictures[]
  readonly decode: readonly MeasuredPictures[]
}

/** Encodes and decodes pictures of no meaning, and compares their times with what the machine's ceilings allow. Some seconds. */
export const measureAutoencoder = async (
  config: VaeConfig,
  parameters: Named,
  engine: Engine,
): Promise<AutoencoderMeasurement> => {
  const ceilings = await ceilingsOf(engine, parameters)
  const { encode, decode } = autoencoderOf(vae(config), parameters, config.scaling_factor)
  const of = ({ in_channels, height, width }: ReturnType<typeof latentSize>) => [in_channels, height, width]
  return {
    ...ceilings,
    encode: await measurePictures(ceilings, engine, of(config), encode),
    decode: await measurePictures(ceilings, engine, of(latentSize(config)), decode),
  }
}
