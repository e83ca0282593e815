import { decodeOrThrow } from '../../src/codec/decode.ts'
import { DenoisingConfig } from '../../src/codec/denoising.ts'
import { InputError } from '../../src/errors.ts'
import type { PictureSet } from '../../src/format/pictures.ts'

/** A network and how it is trained; the pictures give the rest of the configuration. */
export interface DenoisingPreset {
  /** Fields of the network's configuration, all but the pictures'. */
  readonly network: Readonly<Record<string, unknown>>
  readonly training: Readonly<Record<string, unknown>>
  /** Fields of the diffusion: what is predicted, and along which schedule. */
  readonly diffusion?: Readonly<Record<string, unknown>>
}

const untilShown = { weightDecay: 0.01, minimumLearningRate: 1e-5 }

/** A U-Net of 0.7 M parameters, 32 channels at half the resolution of MNIST and 64 at a quarter. */
const digits = {
  network: {
    model_type: 'unet',
    patch_size: 2,
    model_channels: 32,
    channel_mult: [1, 2],
    num_res_blocks: 1,
    attention_levels: [1],
  },
  training: { ...untilShown, steps: 8000, batch: 32, averageDecay: 0.999, validation: 0.01, evaluateEvery: 500 },
} as const

export const denoisingPresets = {
  /** The bundled model. */
  digits,
  /** The same network as a rectified flow. */
  'digits-flow': { ...digits, diffusion: { prediction_type: 'velocity', beta_schedule: 'flow' } },
  /** A transformer of 1.6 M parameters over patches of 4 x 4 pixels. */
  'digits-dit': {
    network: { model_type: 'dit', patch_size: 4, hidden_size: 128, depth: 5, num_heads: 4 },
    training: { ...untilShown, steps: 12000, averageDecay: 0.9995, validation: 0.01, evaluateEvery: 500 },
  },
  /** Seconds to train: for trying things out and for tests. */
  tiny: {
    network: {
      model_type: 'dit',
      patch_size: 7,
      hidden_size: 32,
      depth: 2,
      num_heads: 2,
      frequency_embedding_size: 32,
    },
    training: {
      ...untilShown,
      steps: 200,
      batch: 16,
      warmup: 10,
      averageDecay: 0.95,
      evaluateEvery: 100,
      checkpointEvery: 50,
    },
  },
} as const satisfies Readonly<Record<string, DenoisingPreset>>

export type DenoisingPresetName = keyof typeof denoisingPresets

/** The configuration of a preset for pictures. Ones that it does not fit are an InputError. */
export const denoisingConfig = ({ network, diffusion }: DenoisingPreset, pictures: PictureSet): DenoisingConfig => {
  const { channels, height, width, classes } = pictures
  if (channels !== 1 && channels !== 3)
    throw new InputError(`pictures: expected grey ones or ones in red, green and blue, found ${channels} channels`)
  const shape = { in_channels: channels, height, width, num_classes: classes.length }
  return decodeOrThrow(
    DenoisingConfig,
    { ...diffusion, network: { ...network, ...shape }, class_names: classes },
    'model',
  )
}
