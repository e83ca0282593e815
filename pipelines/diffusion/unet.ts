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
import { define, type Wire } from '../../src/define.ts'
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
  const toPixels = sequence(norm('cross_norm', groups), patchify(1))
  const listen = crossAttention({ width: channels, heads, bias: true, init: zerosInit })
  const toPlanes = unpatchify(1, plane)
  const heard = define<readonly [Planes, Hidden], Planes>((at, input) => {
    const [x, context] = at.pair(input)
    const attended = at(at.both(at(x, toPixels), context), listen)
    return at(at.both(x, at(attended, toPlanes)), add<Planes>())
  })
  return define<readonly [Planes, Hidden], Planes>((at, input) => {
    const [x, context] = at.pair(input)
    const seen = at(x, own)
    return cross ? at(at.both(seen, context), scoped('cross_attn', heard)) : seen
  })
}

/** A residual block and, where its resolution has it, the attention behind it. */
interface Stage {
  readonly block: Operator<readonly [Planes, Hidden], Planes>
  readonly attend: Operator<readonly [Planes, Hidden], Planes> | null
}

/**
 * (pictures, condition (batch, 1, 4 model_channels), context (batch, time, context_dim)) -> a prediction of the pictures' shape. Resolutions halve down to the middle and
 * double up again, each joined with what it was on the way down. The context is read by cross-attention only, where the configuration has it.
 */
export const unetBody = (config: UnetConfig): Operator<readonly [Planes, Hidden, Hidden], Planes> => {
  const { channel_mult, num_res_blocks, norm_num_groups: groups, num_heads: heads, patch_size: patch } = config
  const cross = config.context_dim !== null
  const widths = channel_mult.map(factor => factor * config.model_channels)
  const [top = 0] = widths
  const bottom = widths.length - 1
  const [rows, columns] = [config.height / patch, config.width / patch]
  const attention = (name: string, channels: number, level: number) =>
    scoped(name, spatialAttention({ channels, heads, groups, plane: [rows / 2 ** level, columns / 2 ** level], cross }))
  const stage = (way: string, level: number, i: number, inputs: number, width: number): Stage => ({
    block: scoped(`${way}.${level}.block.${i}`, residualBlock(inputs, width, groups)),
    attend: config.attention_levels.includes(level) ? attention(`${way}.${level}.attn.${i}`, width, level) : null,
  })

  let channels = top
  /** Channels of what is joined on the way up. */
  const skipped = [top]
  const down = widths.map((width, level) => {
    const stages = Array.from({ length: num_res_blocks }, (_, i) => {
      const made = stage('down', level, i, channels, width)
      channels = width
      skipped.push(width)
      return made
    })
    if (level === bottom) return { stages, halve: null }
    skipped.push(width)
    const halving = { outputs: width, kernel: 3, padding: 1, stride: 2 }
    return { stages, halve: convolution2d({ name: `down.${level}.downsample`, ...halving }) }
  })
  const middle: readonly Stage[] = [
    {
      block: scoped('mid.block.0', residualBlock(channels, channels, groups)),
      attend: attention('mid.attn', channels, bottom),
    },
    { block: scoped('mid.block.1', residualBlock(channels, channels, groups)), attend: null },
  ]
  const up = [...widths.entries()].reverse().map(([level, width]) => {
    const stages = Array.from({ length: num_res_blocks + 1 }, (_, i) => {
      const made = stage('up', level, i, channels + (skipped.pop() ?? 0), width)
      channels = width
      return made
    })
    return {
      stages,
      double: level === 0 ? null : sequence(upsampleNearest(2), convolution(`up.${level}.upsample`, width)),
    }
  })
  const last = sequence(
    norm('norm_out', groups),
    silu<readonly ['batch', 'channels', 'height', 'width']>,
    convolution('conv_out', outputChannels(config) * patch ** 2, zerosInit),
  )
  // Nothing to move where a patch is a pixel.
  const toChannels = patch === 1 ? id<Planes>() : sequence(patchify(patch), unpatchify(1, [rows, columns]))
  const toPixels = patch === 1 ? id<Planes>() : sequence(patchify(1), unpatchify(patch, [config.height, config.width]))
  const first = sequence(toChannels, convolution('conv_in', top))

  return define<readonly [Planes, Hidden, Hidden], Planes>((at, input) => {
    const [image, condition, context] = at.triple(input)
    const heard = context.value.shape[2]
    if (cross && heard !== config.context_dim)
      throw new ShapeError(
        `context: expected hidden states of the U-Net's context_dim ${config.context_dim}, found ${heard}`,
      )
    const through = (x: Wire<Planes>, { block, attend }: Stage): Wire<Planes> => {
      const y = at(at.both(x, condition), block)
      return attend === null ? y : at(at.both(y, context), attend)
    }
    let x = at(image, first)
    const skips = [x]
    for (const { stages, halve } of down) {
      for (const stage of stages) {
        x = through(x, stage)
        skips.push(x)
      }
      if (halve === null) continue
      x = at(x, halve)
      skips.push(x)
    }
    x = middle.reduce(through, x)
    for (const { stages, double } of up) {
      for (const stage of stages) x = through(at(at.both(x, skips.pop() ?? x), joinChannels), stage)
      if (double !== null) x = at(x, double)
    }
    return at(at(x, last), toPixels)
  })
}

/**
 * A U-Net told the noise level and the class. A configuration with a `context_dim` is one told texts: an InputError. Source: Ho et al., arXiv 2006.11239; Dhariwal &
 * Nichol, arXiv 2105.05233. Law D4.
 */
export const unet = (config: UnetConfig): ClassConditionalModel => {
  if (config.context_dim !== null)
    throw new InputError(`context_dim: expected none for a U-Net that is told classes, found ${config.context_dim}`)
  const width = conditionWidth(config)
  const timed = timeCondition({ name: 'time_embed', width, frequencies: FREQUENCIES })
  const labelled = embedding({ name: 'label_emb', vocabulary: config.num_classes + 1, width })
  const body = unetBody(config)
  return define<Noisy, Planes>((at, input) => {
    const [image, times, labels] = at.triple(input)
    const condition = at(at.both(at(times, timed), at(labels, labelled)), add<Hidden>())
    return at(at.all(image, condition, condition), body)
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
  const timed = timeCondition({ name: 'time_embed', width, frequencies: FREQUENCIES })
  const read = scoped('text_encoder', encoder)
  const body = unetBody(config)
  return define<Noisy, Planes>((at, input) => {
    const [image, times, text] = at.triple(input)
    return at(at.all(image, at(times, timed), at(text, read)), body)
  })
}
