/** config.json of a U-Net over pictures. Source: Ho et al., arXiv 2006.11239, appendix B; Dhariwal & Nichol, arXiv 2105.05233. */
import * as t from 'io-ts'
import { naturalNumber, nullable, only, positiveInteger, withDefault, withRules } from './fields.ts'
import { pictureFields } from './picture.ts'

const fields = {
  model_type: withDefault(only('unet'), 'unet'),
  ...pictureFields,
  /** Side of the patches that are channels at the top: 1 works on pixels, 2 on a quarter as many points. */
  patch_size: withDefault(positiveInteger, 1),
  /** Channels at the top resolution. */
  model_channels: positiveInteger,
  /** Channels of each resolution over `model_channels`; the picture is halved between two. */
  channel_mult: t.readonlyArray(positiveInteger, 'an array of positive integers'),
  /** Residual blocks a resolution. */
  num_res_blocks: withDefault(positiveInteger, 2),
  /** Resolutions with self-attention, by their place in `channel_mult`. */
  attention_levels: withDefault(t.readonlyArray(naturalNumber, 'an array of integers'), []),
  num_heads: withDefault(positiveInteger, 4),
  /** Groups of the group norms. */
  norm_num_groups: withDefault(positiveInteger, 8),
  /** Width of the hidden states that cross-attention reads; null has none. */
  context_dim: nullable(positiveInteger),
}

export const UnetConfig = withRules(t.exact(t.type(fields), 'a U-Net configuration'), [
  {
    field: 'channel_mult',
    holds: ({ channel_mult }) => channel_mult.length > 0,
    expected: () => 'at least one resolution',
    found: ({ channel_mult }) => channel_mult,
  },
  {
    field: 'attention_levels',
    holds: ({ attention_levels, channel_mult }) => attention_levels.every(level => level < channel_mult.length),
    expected: ({ channel_mult }) => `places in channel_mult, less than ${channel_mult.length}`,
    found: ({ attention_levels }) => attention_levels,
  },
  {
    field: 'model_channels',
    holds: config =>
      config.model_channels % config.norm_num_groups === 0 && config.model_channels % config.num_heads === 0,
    expected: config => `a multiple of ${config.norm_num_groups} groups and of ${config.num_heads} heads`,
    found: config => config.model_channels,
  },
  {
    field: 'height',
    holds: config => config.height % smallest(config) === 0 && config.width % smallest(config) === 0,
    expected: config => `a multiple of ${smallest(config)}, as the width`,
    found: config => config.height,
  },
])
export type UnetConfig = t.TypeOf<typeof UnetConfig>

/** Pixels that meet in one point of the lowest resolution, along an axis. */
const smallest = ({
  patch_size,
  channel_mult,
}: {
  readonly patch_size: number
  readonly channel_mult: readonly number[]
}): number => patch_size * 2 ** (channel_mult.length - 1)
