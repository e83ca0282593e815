import { type Initializer, normalInit } from '../../src/context.ts'
import { define } from '../../src/define.ts'
import type { Operator } from '../../src/operator.ts'
import type { Hidden } from '../hidden.ts'
import { GPT2_DEVIATION, linear } from '../linear.ts'
import { scaledDotProductAttention } from './scaledDotProductAttention.ts'

export interface CrossAttentionOptions {
  readonly width: number
  readonly heads: number
  readonly bias: boolean
  /** First weights of the output projection: deviation 0.02 unless given. */
  readonly init?: Initializer
}

/**
 * (x, context) -> attention of x's positions to the context's: queries from x, keys and values from the context, whose width may be another. Diffusers' names: `to_q`,
 * `to_k`, `to_v`, `to_out.0`. Source: Vaswani et al., arXiv 1706.03762, 3.2.3; Rombach et al., arXiv 2112.10752, 3.3. Laws A6, D4.
 */
export const crossAttention = ({
  width,
  heads,
  bias,
  init = normalInit(GPT2_DEVIATION),
}: CrossAttentionOptions): Operator<readonly [Hidden, Hidden], Hidden> => {
  const projection = <To extends string>(name: string, to: To) =>
    linear({ name, from: 'width', to, width, bias, layout: 'torch' })
  return define<readonly [Hidden, Hidden], Hidden>((at, input) => {
    const [x, context] = at.pair(input)
    const heard = at.all(
      at(x, projection('to_q', 'query')),
      at(context, projection('to_k', 'key')),
      at(context, projection('to_v', 'value')),
    )
    const attended = at(heard, scaledDotProductAttention({ heads, causal: false }))
    return at(attended, linear({ name: 'to_out.0', from: 'query', to: 'width', width, bias, layout: 'torch', init }))
  })
}
