import { normalInit } from '../src/context.ts'
import { define } from '../src/define.ts'
import type { Activation } from '../src/engine/fused.ts'
import type { Operator } from '../src/operator.ts'
import { activation, silu } from './activation.ts'
import type { Hidden } from './hidden.ts'
import { GPT2_DEVIATION, linear } from './linear.ts'
import { multiply } from './multiply.ts'

export interface FeedForwardOptions {
  readonly width: number
  /** Width of the hidden layer, usually 4 width. */
  readonly hidden: number
  readonly activation: Activation
  readonly bias: boolean
  readonly projectionDeviation?: number
}

/** width -> hidden -> width with a non-linearity between, GPT-2's names: `c_fc`, `c_proj` (arXiv 1706.03762, 3.3). */
export const feedForward = ({
  width,
  hidden,
  activation: kind,
  bias,
  projectionDeviation = GPT2_DEVIATION,
}: FeedForwardOptions): Operator<Hidden, Hidden> => {
  const init = normalInit(projectionDeviation)
  const expand = linear({ name: 'c_fc', from: 'width', to: 'hidden', width: hidden, bias, layout: 'conv1d' })
  const bend = activation(kind)
  const project = linear({ name: 'c_proj', from: 'hidden', to: 'width', width, bias, layout: 'conv1d', init })
  return define<Hidden, Hidden>((at, x) => at(at(at(x, expand), bend), project))
}

/** down(silu(gate(x)) ⊙ up(x)), Llama's names: `gate_proj`, `up_proj`, `down_proj` (Shazeer, arXiv 2002.05202). */
export const swiGlu = ({ width, hidden }: Pick<FeedForwardOptions, 'width' | 'hidden'>): Operator<Hidden, Hidden> => {
  const gate = linear({ name: 'gate_proj', from: 'width', to: 'hidden', width: hidden, bias: false, layout: 'torch' })
  const up = linear({ name: 'up_proj', from: 'width', to: 'hidden', width: hidden, bias: false, layout: 'torch' })
  const down = linear({ name: 'down_proj', from: 'hidden', to: 'width', width, bias: false, layout: 'torch' })
  return define<Hidden, Hidden>((at, x) => at(at(at.both(at(at(x, gate), silu), at(x, up)), multiply), down))
}
