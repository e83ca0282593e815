import { decodeOrThrow } from '../../src/codec/decode.ts'
import { VaeConfig } from '../../src/codec/vae.ts'
import type { PictureSet } from '../../src/format/pictures.ts'

/** An autoencoder and how it is trained; the pictures give the rest of the configuration. */
export interface AutoencoderPreset {
  readonly network: Readonly<Record<string, unknown>>
  readonly training: Readonly<Record<string, unknown>>
}

const usual = { weightDecay: 0.01, minimumLearningRate: 1e-5, learningRate: 2e-3 }

export const autoencoderPresets = {
  /** Latents of 4 channels at a quarter of the resolution: of MNIST's 784 numbers 196. */
  digits: {
    network: { latent_channels: 4, model_channels: 8, channel_mult: [1, 2, 4] },
    training: { ...usual, steps: 3000, validation: 0.01, evaluateEvery: 500 },
  },
  /** Seconds to train: for trying things out and for tests. */
  tiny: {
    network: { latent_channels: 2, model_channels: 8, channel_mult: [1, 2] },
    training: {
      ...usual,
      learningRate: 1e-2,
      steps: 150,
      batch: 16,
      warmup: 10,
      evaluateEvery: 50,
      checkpointEvery: 50,
    },
  },
} as const satisfies Readonly<Record<string, AutoencoderPreset>>

export type AutoencoderPresetName = keyof typeof autoencoderPresets

/** The configuration of a preset for pictures. Ones that it does not fit are an InputError. */
export const autoencoderConfig = ({ network }: AutoencoderPreset, { channels, height, width }: PictureSet): VaeConfig =>
  decodeOrThrow(VaeConfig, { ...network, in_channels: channels, height, width }, 'model')
