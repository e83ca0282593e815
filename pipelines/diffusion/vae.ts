import { silu } from '../../operators/activation.ts'
import { convolution2d } from '../../operators/convolution/convolution2d.ts'
import type { Planes } from '../../operators/convolution/planes.ts'
import { upsampleNearest } from '../../operators/convolution/upsample.ts'
import { squaredError } from '../../operators/diffusion/index.ts'
import { gaussianKl } from '../../operators/latent/gaussianKl.ts'
import { halvesOfChannels } from '../../operators/latent/halvesOfChannels.ts'
import { reparametrize } from '../../operators/latent/reparametrize.ts'
import { groupNorm } from '../../operators/norm/groupNorm.ts'
import type { VaeConfig } from '../../src/codec/vae.ts'
import { add, residual, sequence, stack } from '../../src/compose.ts'
import { zerosInit } from '../../src/context.ts'
import { define } from '../../src/define.ts'
import { scale as times } from '../../src/kernel/binary.ts'
import type { Operator } from '../../src/operator.ts'
import { scoped } from '../../src/scoped.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

/** A variational autoencoder: pictures as Gaussians over small latent pictures, and back. */
export interface Vae {
  /** (batch, channels, height, width) -> mean and log-variance, each (batch, latent channels, height / 2^n, width / 2^n). */
  readonly encoder: Operator<Planes, readonly [Planes, Planes]>
  readonly decoder: Operator<Planes, Planes>
}

const swish = silu<readonly ['batch', 'channels', 'height', 'width']>
const convolution = (name: string, outputs: number, stride = 1): Operator<Planes, Planes> =>
  convolution2d({ name, outputs, kernel: 3, padding: 1, stride })

/** x + conv(silu(norm(conv(silu(norm(x)))))), the last convolution zero at first. */
const block = (channels: number, groups: number): Operator<Planes, Planes> => {
  const norm = (name: string): Operator<Planes, Planes> => groupNorm({ name, groups })
  const last = convolution2d({ name: 'conv2', outputs: channels, kernel: 3, padding: 1, init: zerosInit })
  return residual(sequence(norm('norm1'), swish, convolution('conv1', channels), norm('norm2'), swish, last))
}

/**
 * Convolutions down to the latents and up again, a residual block at each resolution. Source: Kingma & Welling, arXiv 1312.6114; Rombach et al.,
 * arXiv 2112.10752. Laws D4, X9.
 */
export const vae = ({
  in_channels,
  latent_channels,
  model_channels,
  channel_mult,
  norm_num_groups: groups,
}: VaeConfig): Vae => {
  const widths = channel_mult.map(factor => factor * model_channels)
  const [top = 0] = widths
  const bottom = widths[widths.length - 1] ?? top
  const down = widths.flatMap((width, level) => [
    ...(level === 0 ? [] : [convolution(`down.${level}.downsample`, width, 2)]),
    scoped(`down.${level}.block`, block(width, groups)),
  ])
  const up = widths
    .map((width, level) => [
      scoped(`up.${level}.block`, block(width, groups)),
      ...(level === 0 ? [] : [upsampleNearest(2), convolution(`up.${level}.upsample`, widths[level - 1] ?? top)]),
    ])
    .reverse()
    .flat()
  const norm: Operator<Planes, Planes> = groupNorm({ name: 'norm_out', groups })
  return {
    encoder: scoped(
      'encoder',
      sequence(
        convolution('conv_in', top),
        stack(down),
        norm,
        swish,
        convolution('conv_out', 2 * latent_channels),
        halvesOfChannels,
      ),
    ),
    decoder: scoped(
      'decoder',
      sequence(convolution('conv_in', bottom), stack(up), norm, swish, convolution('conv_out', in_channels)),
    ),
  }
}

/** factor · x. */
const scaled =
  (factor: number): Operator<Tensor<readonly []>, Tensor<readonly []>> =>
  (_, x) => ({ value: times(x, factor), state: {}, saved: [], pullback: d => [{}, times(d, factor)] })

/**
 * Mean squared error of a picture through one sample of its latent, plus `divergence` times the KL of its Gaussian from N(0, 1): the negative evidence bound of a
 * Gaussian decoder, but for factors. Source: Kingma & Welling, arXiv 1312.6114, eq. 10; Higgins et al., β-VAE.
 */
export const vaeLoss = ({ encoder, decoder }: Vae, divergence: number): Operator<Planes, Tensor<readonly []>> => {
  const bound = (target: Planes): Operator<Planes, Tensor<readonly []>> =>
    define<Planes, Tensor<readonly []>>((at, x) => {
      const gaussian = at(x, encoder)
      const reconstruction = at(at(at(gaussian, reparametrize), decoder), squaredError(target))
      return at(at.both(reconstruction, at(at(gaussian, gaussianKl), scaled(divergence))), add<Tensor<readonly []>>())
    })
  return (c, x) => bound(x)(c, x)
}
