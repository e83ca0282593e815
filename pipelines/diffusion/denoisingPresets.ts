import type { Tokenizer } from '../../operators/token/tokenizer.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { DenoisingConfig, NetworkConfig } from '../../src/codec/denoising.ts'
import { latentSize, type VaeConfig } from '../../src/codec/vae.ts'
import { InputError } from '../../src/errors.ts'
import { describeSize, type PictureSet } from '../../src/format/pictures.ts'

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

const quick = {
  ...untilShown,
  steps: 200,
  batch: 16,
  warmup: 10,
  averageDecay: 0.95,
  evaluateEvery: 100,
  checkpointEvery: 50,
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
  /** A U-Net of 0.7 M parameters over latents of digits, 7 x 7. */
  latent: {
    network: { model_type: 'unet', model_channels: 64, channel_mult: [1], num_res_blocks: 1, attention_levels: [0] },
    training: { ...digits.training, steps: 5000, learningRate: 1.5e-3 },
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
    training: quick,
  },
  'tiny-unet': {
    network: {
      model_type: 'unet',
      model_channels: 16,
      channel_mult: [1],
      num_res_blocks: 1,
      attention_levels: [0],
      num_heads: 2,
    },
    training: quick,
  },
} as const satisfies Readonly<Record<string, DenoisingPreset>>

export type DenoisingPresetName = keyof typeof denoisingPresets

/** What a model is made of besides its network. */
export interface DenoisingParts {
  /** Whose latents are diffused; the pictures themselves unless given. */
  readonly autoencoder?: VaeConfig | null
  /** By class the texts that say it, and what reads them; classes are told unless given. */
  readonly text?: { readonly captions: readonly (readonly string[])[]; readonly tokenizer: Tokenizer } | null
  /** Whether the variance of reverse steps is learnt too; false unless given. */
  readonly learnSigma?: boolean
}

/** The configuration of a preset for pictures. Ones that it does not fit are an InputError. */
export const denoisingConfig = (
  preset: DenoisingPreset,
  pictures: PictureSet,
  { autoencoder = null, text = null, learnSigma = false }: DenoisingParts = {},
): DenoisingConfig => {
  const { channels, height, width, classes } = pictures
  if (channels !== 1 && channels !== 3)
    throw new InputError(`pictures: expected grey ones or ones in red, green and blue, found ${channels} channels`)
  if (autoencoder !== null && describeSize(autoencoderSize(autoencoder)) !== describeSize(pictures))
    throw new InputError(
      `autoencoder: expected one of pictures of ${describeSize(pictures)}, found one of ${describeSize(autoencoderSize(autoencoder))}`,
    )
  const size = autoencoder === null ? { in_channels: channels, height, width } : latentSize(autoencoder)
  const shape = { ...size, num_classes: text === null ? classes.length : 0, learn_sigma: learnSigma }
  const network = decodeOrThrow(NetworkConfig, { ...preset.network, ...shape }, 'model')
  const parts = text === null ? { network } : withText(network, text)
  return decodeOrThrow(DenoisingConfig, { ...preset.diffusion, ...parts, autoencoder, class_names: classes }, 'model')
}

const autoencoderSize = ({ in_channels: channels, height, width }: VaeConfig) => ({ channels, height, width })

/** A network that reads texts with a transformer of one layer, as wide as its own top resolution. */
const withText = (network: NetworkConfig, { captions, tokenizer }: NonNullable<DenoisingParts['text']>) => {
  if (network.model_type !== 'unet')
    throw new InputError(
      `captions: expected a network of type unet, which alone is told texts; found ${network.model_type}`,
    )
  const { model_channels: width, num_heads: heads } = network
  const longest = captions.flat().reduce((most, caption) => Math.max(most, tokenizer.encode(caption).length), 0)
  return {
    network: { ...network, context_dim: width },
    captions,
    text_encoder: {
      vocab_size: tokenizer.vocabularySize,
      // One more, so that every text is seen to end.
      n_positions: longest + 1,
      n_embd: width,
      n_layer: 1,
      eos_token_id: tokenizer.endId,
      n_head: heads,
      embd_pdrop: 0,
      resid_pdrop: 0,
      attn_pdrop: 0,
    },
  }
}
