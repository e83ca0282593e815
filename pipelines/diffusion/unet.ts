import { silu } from '../../operators/activation.ts'
import { addChannels } from '../../operators/addChannels.ts'
import { crossAttention } from '../../operators/attention/crossAttention.ts'
import { selfAttention } from '../../operators/attention/selfAttention.ts'
import { convolution2d } from '../../operators/convolution/convolution2d.ts'
import { patchify, unpatchify } from '../../operators/convolution/patchify.ts'
import type { Planes } from '../../operators/convolution/planes.ts'
import { upsampleNearest } from '../../operators/convolution/upsample.ts'
import { timeCondition } from '../../operators/diffusion/timeCondition.ts'
import { embedding } from '../../operators/embedding.ts'
import type { Hidden } from '../../operators/hidden.ts'
import { joinChannels } from '../../operators/joinChannels.ts'
import { linear } from '../../operators/linear.ts'
import { groupNorm } from '../../operators/norm/groupNorm.ts'
import { outputChannels } from '../../src/codec/picture.ts'
import type { UnetConfig } from '../../src/codec/unet.ts'
import { add, id, residual, sequence } from '../../src/compose.ts'
import { type Initializer, zerosInit } from '../../src/context.ts'
import { type Apply, define, type Wire } from '../../src/define.ts'
import { InputError, ShapeError } from '../../src/errors.ts'
import type { Operator } from '../../src/operator.ts'
import { scoped } from '../../src/scoped.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'
import type { ClassConditionalModel, Noisy, TextConditionalModel } from './network.ts'

/** Columns of the time embedding. */
const FREQUENCIES = 128

/** Width of the condition that residual blocks read, over `model_channels`. */
export const conditionWidth = ({ model_channels }: UnetConfig): number => 4 * model_channels

const convolution = (name: string, outputs: number, init?: Initializer): Operator<Planes, Planes> =>
  convolution2d({ name, outputs, kernel: 3, padding: 1, ...(init === undefined ? {} : { init }) })

const norm = (name: string, groups: number): Operator<Planes, Planes> => groupNorm({ name, groups })

/**
 * (x, condition) -> x + conv(silu(norm(conv(silu(norm(x))) + linear(silu(condition))))), x through a 1x1 convolution where channels change. The second
 * convolution begins at zero. Source: Ho et al., arXiv 2006.11239, appendix B.
 */
export const residualBlock = (
  inputs: number,
  outputs: number,
  groups: number,
): Operator<readonly [Planes, Hidden], Planes> => {
  const told = sequence(
    silu<readonly ['batch', 'time', 'width']>,
    linear({ name: 'emb_layers', from: 'width', to: 'width', width: outputs, bias: true, layout: 'torch' }),
  )
  const planesOf = silu<readonly ['batch', 'channels', 'height', 'width']>
  const first = sequence(norm('norm1', groups), planesOf, convolution('conv1', outputs))
  const second = sequence(norm('norm2', groups), planesOf, convolution('conv2', outputs, zerosInit))
  const skip = inputs === outputs ? id<Planes>() : convolution2d({ name: 'conv_shortcut', outputs, kernel: 1 })
  return define<readonly [Planes, Hidden], Planes>((at, input) => {
    const [x, condition] = at.pair(input)
    const h = at(at(at.both(at(x, first), at(condition, told)), addChannels), second)
    return at(at.both(at(x, skip), h), add<Planes>())
  })
}

export interface SpatialAttentionOptions {
  readonly channels: number
  readonly heads: number
  readonly groups: number
  readonly plane: readonly [height: number, width: number]
  /** Whether it also attends to the context. */
  readonly cross: boolean
}

/** (x, context) -> x + attention over its pixels, and then to the context's positions (Rombach et al., arXiv 2112.10752, 3.3). */
export const spatialAttention = ({
  channels,
  heads,
  groups,
  plane,
  cross,
}: SpatialAttentionOptions): Operator<readonly [Planes, Hidden], Planes> => {
  const own = residual(
    sequence(
      norm('group_norm', groups),
      patchify(1),
      selfAttention({ width: channels, heads, causal: false, bias: true, projectionDeviation: 0 }),
      unpatchify(1, plane),
    ),
  )
  const heard = define<readonly [Planes, Hidden], Planes>((at, input) => {
    const [x, context] = at.pair(input)
    const pixels = at(at(x, norm('cross_norm', groups)), patchify(1))
    const attended = at(
      at.both(pixels, context),
      crossAttention({ width: channels, heads, bias: true, init: zerosInit }),
    )
    return at(at.both(x, at(attended, unpatchify(1, plane))), add<Planes>())
  })
  return define<readonly [Planes, Hidden], Planes>((at, input) => {
    const [x, context] = at.pair(input)
    const seen = at(x, own)
    return cross ? at(at.both(seen, context), scoped('cross_attn', heard)) : seen
  })
}

/**
 * (pictures, condition (batch, 1, 4 model_channels), context (batch, time, context_dim)) -> a prediction of the pictures' shape. Resolutions halve down to the middle and
 * double up again, each joined with what it was on the way down. The context is read by cross-attention only, where the configuration has it.
 */
export const unetBody = (config: UnetConfig): Operator<readonly [Planes, Hidden, Hidden], Planes> => {
  const { channel_mult, num_res_blocks, norm_num_groups: groups, num_heads: heads, patch_size: patch } = config
  const widths = channel_mult.map(factor => factor * config.model_channels)
  const [top = 0] = widths
  const plane = [config.height / patch, config.width / patch] as const
  const planeAt = (level: number) => [plane[0] / 2 ** level, plane[1] / 2 ** level] as const
  const toChannels = sequence(patchify(patch), unpatchify(1, plane))
  const toPixels = sequence(patchify(1), unpatchify(patch, [config.height, config.width]))
  return define<readonly [Planes, Hidden, Hidden], Planes>((at, input) => {
    const [image, condition, context] = at.triple(input)
    const heard = context.value.shape[2]
    if (config.context_dim !== null && heard !== config.context_dim)
      throw new ShapeError(
        `context: expected hidden states of the U-Net's context_dim ${config.context_dim}, found ${heard}`,
      )
    const block = (name: string, x: Wire<Planes>, inputs: number, outputs: number) =>
      at(at.both(x, condition), scoped(name, residualBlock(inputs, outputs, groups)))
    const attend = (name: string, x: Wire<Planes>, channels: number, level: number) =>
      at(
        at.both(x, context),
        scoped(
          name,
          spatialAttention({ channels, heads, groups, plane: planeAt(level), cross: config.context_dim !== null }),
        ),
      )
    const attends = (level: number): boolean => config.attention_levels.includes(level)

    let x = at(patched(at, image, patch, toChannels), convolution('conv_in', top))
    let channels = top
    const skips: { readonly x: Wire<Planes>; readonly channels: number }[] = [{ x, channels }]
    widths.forEach((width, level) => {
      for (let i = 0; i < num_res_blocks; i++) {
        x = block(`down.${level}.block.${i}`, x, channels, width)
        if (attends(level)) x = attend(`down.${level}.attn.${i}`, x, width, level)
        channels = width
        skips.push({ x, channels })
      }
      if (level + 1 === widths.length) return
      const halve = convolution2d({
        name: `down.${level}.downsample`,
        outputs: width,
        kernel: 3,
        padding: 1,
        stride: 2,
      })
      x = at(x, halve)
      skips.push({ x, channels })
    })
    const bottom = widths.length - 1
    x = block('mid.block.0', x, channels, channels)
    x = attend('mid.attn', x, channels, bottom)
    x = block('mid.block.1', x, channels, channels)
    for (let level = bottom; level >= 0; level--) {
      const width = widths[level] ?? 0
      for (let i = 0; i <= num_res_blocks; i++) {
        const skip = skips.pop()
        if (skip === undefined) throw new RangeError('more blocks up than down')
        const joined = at(at.both(x, skip.x), joinChannels)
        x = block(`up.${level}.block.${i}`, joined, channels + skip.channels, width)
        if (attends(level)) x = attend(`up.${level}.attn.${i}`, x, width, level)
        channels = width
      }
      if (level > 0) x = at(at(x, upsampleNearest(2)), convolution(`up.${level}.upsample`, width))
    }
    const last = sequence(
      norm('norm_out', groups),
      silu<readonly ['batch', 'channels', 'height', 'width']>,
      convolution('conv_out', outputChannels(config) * patch ** 2, zerosInit),
    )
    return patched(at, at(x, last), patch, toPixels)
  })
}

/** Nothing to move where a patch is a pixel. */
const patched = (at: Apply, x: Wire<Planes>, patch: number, move: Operator<Planes, Planes>): Wire<Planes> =>
  patch === 1 ? x : at(x, move)

/**
 * A U-Net told the noise level and the class. A configuration with a `context_dim` is one told texts: an InputError. Source: Ho et al., arXiv 2006.11239; Dhariwal &
 * Nichol, arXiv 2105.05233. Law D4.
 */
export const unet = (config: UnetConfig): ClassConditionalModel => {
  if (config.context_dim !== null)
    throw new InputError(`context_dim: expected none for a U-Net that is told classes, found ${config.context_dim}`)
  const width = conditionWidth(config)
  return define<Noisy, Planes>((at, input) => {
    const [image, times, labels] = at.triple(input)
    const time = at(times, timeCondition({ name: 'time_embed', width, frequencies: FREQUENCIES }))
    const label = at(labels, embedding({ name: 'label_emb', vocabulary: config.num_classes + 1, width }))
    const condition = at(at.both(time, label), add<Hidden>())
    return at(at.all(image, condition, condition), unetBody(config))
  })
}

/**
 * A U-Net told the noise level and a text: the text's hidden states are what its cross-attention reads, so the configuration needs a `context_dim` of their width. Any
 * operator from token ids (batch, time) is a text encoder, for instance the body of a `gpt`. Source: Rombach et al., arXiv 2112.10752, 3.3.
 */
export const textUnet = (config: UnetConfig, encoder: Operator<Tokens, Hidden>): TextConditionalModel => {
  if (config.context_dim === null)
    throw new InputError('context_dim: expected the width of the hidden states of texts, found none')
  const width = conditionWidth(config)
  return define<Noisy, Planes>((at, input) => {
    const [image, times, text] = at.triple(input)
    const condition = at(times, timeCondition({ name: 'time_embed', width, frequencies: FREQUENCIES }))
    return at(at.all(image, condition, at(text, scoped('text_encoder', encoder))), unetBody(config))
  })
}
