import { normalInit } from '../../src/context.ts'
import { define } from '../../src/define.ts'
import type { Operator } from '../../src/operator.ts'
import type { Hidden } from '../hidden.ts'
import { GPT2_DEVIATION, linear } from '../linear.ts'
import { rotaryPositions } from '../position/rotaryPositions.ts'
import { jointAttention } from './jointAttention.ts'
import { scaledDotProductAttention } from './scaledDotProductAttention.ts'

export interface SelfAttentionOptions {
  readonly width: number
  readonly heads: number
  readonly causal: boolean
  readonly bias: boolean
  /** Deviation of the output projection's first weights; GPT-2 divides 0.02 by √(2 layers). */
  readonly projectionDeviation?: number
}

/**
 * Multi-head self-attention with one joint projection, GPT-2's names: `c_attn` (width -> query, key, value) and `c_proj`.
 * Source: Vaswani et al., arXiv 1706.03762, 3.2.2. Laws A6-A9.
 */
export const selfAttention = ({
  width,
  heads,
  causal,
  bias,
  projectionDeviation = GPT2_DEVIATION,
}: SelfAttentionOptions): Operator<Hidden, Hidden> => {
  const init = normalInit(projectionDeviation)
  const join = linear({ name: 'c_attn', from: 'width', to: 'qkv', width: 3 * width, bias, layout: 'conv1d' })
  const attend = jointAttention({ heads, headWidth: width / heads, causal })
  const project = linear({ name: 'c_proj', from: 'query', to: 'width', width, bias, layout: 'conv1d', init })
  return define<Hidden, Hidden>((at, x) => at(at(at(x, join), attend), project))
}

export interface GroupedQueryOptions {
  readonly width: number
  readonly heads: number
  /** Fewer key-value heads than heads: each serves a group of query heads (Ainslie et al., arXiv 2305.13245). Law A12. */
  readonly keyValueHeads: number
  readonly headWidth: number
  readonly causal: boolean
  readonly bias: boolean
  /** Base of the rotary frequencies. */
  readonly theta: number
}

/** Grouped-query self-attention with rotary positions, Llama's names: `q_proj`, `k_proj`, `v_proj`, `o_proj`. */
export const groupedQuerySelfAttention = (options: GroupedQueryOptions): Operator<Hidden, Hidden> => {
  const { width, heads, keyValueHeads, headWidth, causal, bias, theta } = options
  const keyWidth = keyValueHeads * headWidth
  const queryOf = linear({
    name: 'q_proj',
    from: 'width',
    to: 'query',
    width: heads * headWidth,
    bias,
    layout: 'torch',
  })
  const keyOf = linear({ name: 'k_proj', from: 'width', to: 'key', width: keyWidth, bias, layout: 'torch' })
  const contentOf = linear({ name: 'v_proj', from: 'width', to: 'value', width: keyWidth, bias, layout: 'torch' })
  const turnQuery = rotaryPositions({ heads, headWidth, theta })
  const turnKey = rotaryPositions({ heads: keyValueHeads, headWidth, theta })
  const attend = scaledDotProductAttention({ heads, keyValueHeads, causal })
  const project = linear({ name: 'o_proj', from: 'query', to: 'width', width, bias: false, layout: 'torch' })
  return define<Hidden, Hidden>((at, x) => {
    const turned = at.all(at(at(x, queryOf), turnQuery), at(at(x, keyOf), turnKey), at(x, contentOf))
    return at(at(turned, attend), project)
  })
}
