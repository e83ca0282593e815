/** config.json of a variational autoencoder over pictures. Source: Rombach et al., arXiv 2112.10752, appendix G, with its code's names. */
import * as t from 'io-ts'
import { only, positiveInteger, positiveNumber, withDefault, withRules } from './fields.ts'

const fields = {
  model_type: withDefault(only('vae'), 'vae'),
  in_channels: positiveInteger,
  /** Pixels. */
  height: positiveInteger,
  width: positiveInteger,
  /** Channels of a latent picture. */
  latent_channels: positiveInteger,
  /** Channels at the top resolution. */
  model_channels: positiveInteger,
  /** Channels of each resolution over `model_channels`; the picture is halved between two. */
  channel_mult: t.readonlyArray(positiveInteger, 'an array of positive integers'),
  norm_num_groups: withDefault(positiveInteger, 8),
  /** What latents are multiplied by, so that they have unit variance for the diffusion. */
  scaling_factor: withDefault(positiveNumber, 1),
}

export const VaeConfig = withRules(t.exact(t.type(fields), 'a VAE configuration'), [
  {
    field: 'channel_mult',
    holds: ({ channel_mult }) => channel_mult.length > 0,
    expected: () => 'at least one resolution',
    found: ({ channel_mult }) => channel_mult,
  },
  {
    field: 'model_channels',
    holds: config => config.model_channels % config.norm_num_groups === 0,
    expected: config => `a multiple of ${config.norm_num_groups} groups`,
    found: config => config.model_channels,
  },
  {
    field: 'height',
    holds: ({ height, width, channel_mult }) =>
      [height, width].every(length => length % 2 ** (channel_mult.length - 1) === 0),
    expected: ({ channel_mult }) => `a multiple of ${2 ** (channel_mult.length - 1)}, as the width`,
    found: ({ height }) => height,
  },
])
export type VaeConfig = t.TypeOf<typeof VaeConfig>

/** The size of a latent picture. */
export const latentSize = ({ latent_channels, height, width, channel_mult }: VaeConfig) => {
  const factor = 2 ** (channel_mult.length - 1)
  return { in_channels: latent_channels, height: height / factor, width: width / factor }
}
