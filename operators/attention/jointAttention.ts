import { compose } from '../../src/compose.ts'
import {
  type JointAttentionOptions,
  jointAttentionPullback,
  jointAttention as kernel,
} from '../../src/kernel/jointAttention.ts'
import type { Operator } from '../../src/operator.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { type Queries, scaledDotProductAttention } from './scaledDotProductAttention.ts'
import { splitQueryKeyValue } from './splitQueryKeyValue.ts'

export interface JointOptions extends JointAttentionOptions {
  readonly headWidth: number
}

/**
 * `splitQueryKeyValue`, then `scaledDotProductAttention`; where no cache takes the keys and values and no tap shows the weights, the joint projection is read as it
 * lies, with the same bits. Laws A3-A9, A12, L3-L5.
 */
export const jointAttention = ({
  headWidth,
  ...options
}: JointOptions): Operator<Tensor<readonly ['batch', 'time', 'qkv']>, Queries> => {
  const { heads, keyValueHeads = heads } = options
  const apart = compose(
    splitQueryKeyValue(heads * headWidth, keyValueHeads * headWidth),
    scaledDotProductAttention(options),
  )
  return (c, joint) => {
    if (c.capacity !== null || c.tap !== null) return apart(c, joint)
    const attended = kernel<readonly ['batch', 'time', 'query']>(joint, options)
    return {
      value: attended.value,
      state: {},
      saved: [joint, attended.value, attended.logSumExp],
      pullback: d => [{}, jointAttentionPullback(d, joint, attended, options)],
    }
  }
}
