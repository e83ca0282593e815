import { silu } from '../../operators/activation.ts'
import { selfAttention } from '../../operators/attention/selfAttention.ts'
import { patchify, unpatchify } from '../../operators/convolution/patchify.ts'
import type { Planes } from '../../operators/convolution/planes.ts'
import { halves, thirds } from '../../operators/cuts.ts'
import { timeCondition } from '../../operators/diffusion/timeCondition.ts'
import { embedding } from '../../operators/embedding.ts'
import { feedForward } from '../../operators/feedForward.ts'
import { gatedSum } from '../../operators/gatedSum.ts'
import type { Hidden } from '../../operators/hidden.ts'
import { linear } from '../../operators/linear.ts'
import { adaptiveLayerNorm } from '../../operators/norm/adaptiveLayerNorm.ts'
import { sinusoidalPositions2d } from '../../operators/position/sinusoidalPositions2d.ts'
import type { DitConfig } from '../../src/codec/dit.ts'
import { outputChannels } from '../../src/codec/picture.ts'
import { add, sequence } from '../../src/compose.ts'
import { zerosInit } from '../../src/context.ts'
import { define } from '../../src/define.ts'
import type { Operator } from '../../src/operator.ts'
import { scoped } from '../../src/scoped.ts'
import type { ClassConditionalModel, Noisy } from './network.ts'

/** So many vectors of a block's width from the condition; zero at first, so that every block begins as the identity ("adaLN-Zero"). */
const modulation = (count: number, width: number): Operator<Hidden, Hidden> =>
  sequence(
    silu<readonly ['batch', 'time', 'width']>,
    linear({
      name: 'adaLN_modulation',
      from: 'width',
      to: 'width',
      width: count * width,
      bias: true,
      layout: 'torch',
      init: zerosInit,
    }),
  )

/** (x, condition) -> x + gate ⊙ f(LN(x) ⊙ (1 + scale) + shift). Source: Peebles & Xie, arXiv 2212.09748, figure 3. */
export const adaptiveResidual = (
  width: number,
  f: Operator<Hidden, Hidden>,
): Operator<readonly [Hidden, Hidden], Hidden> =>
  define<readonly [Hidden, Hidden], Hidden>((at, input) => {
    const [x, condition] = at.pair(input)
    const [shift, scale, gate] = at.triple(at(at(condition, modulation(3, width)), thirds))
    return at(at.all(x, at(at(at.all(x, shift, scale), adaptiveLayerNorm), f), gate), gatedSum)
  })

/** Attention over all patches, then a feed-forward layer, both conditioned. */
export const ditBlock = ({
  width,
  heads,
  hidden,
}: {
  readonly width: number
  readonly heads: number
  readonly hidden: number
}): Operator<readonly [Hidden, Hidden], Hidden> => {
  const attention = selfAttention({ width, heads, causal: false, bias: true })
  const mlp = feedForward({ width, hidden, activation: 'geluTanh', bias: true })
  return define<readonly [Hidden, Hidden], Hidden>((at, input) => {
    const [x, condition] = at.pair(input)
    const attended = at(at.both(x, condition), scoped('attn', adaptiveResidual(width, attention)))
    return at(at.both(attended, condition), scoped('mlp', adaptiveResidual(width, mlp)))
  })
}

/**
 * A transformer over the patches of a noisy picture, told the noise level and the class through adaptive layer norms. Predicts what the diffusion
 * it is trained in wants, of the picture's shape. Source: Peebles & Xie, arXiv 2212.09748. Laws D4, L1.
 */
export const dit = (config: DitConfig): ClassConditionalModel => {
  const { patch_size: patch, height, width: columns, hidden_size: width } = config
  const block = ditBlock({ width, heads: config.num_heads, hidden: config.mlp_ratio * width })
  const toPatches = linear({
    name: 'final_layer.linear',
    from: 'width',
    to: 'width',
    width: outputChannels(config) * patch ** 2,
    bias: true,
    layout: 'torch',
    init: zerosInit,
  })
  return define<Noisy, Planes>((at, input) => {
    const [image, times, labels] = at.triple(input)
    const time = at(
      times,
      timeCondition({ name: 't_embedder.mlp', width, frequencies: config.frequency_embedding_size }),
    )
    const label = at(labels, embedding({ name: 'y_embedder', vocabulary: config.num_classes + 1, width }))
    const condition = at(at.both(time, label), add<Hidden>())
    const embedded = at(
      at(image, patchify(patch)),
      linear({ name: 'x_embedder', from: 'width', to: 'width', width, bias: true, layout: 'torch' }),
    )
    let x = at(embedded, sinusoidalPositions2d(height / patch))
    for (let layer = 0; layer < config.depth; layer++) x = at(at.both(x, condition), scoped(`blocks.${layer}`, block))
    const [shift, scale] = at.pair(at(at(condition, scoped('final_layer', modulation(2, width))), halves))
    return at(at(at(at.all(x, shift, scale), adaptiveLayerNorm), toPatches), unpatchify(patch, [height, columns]))
  })
}
