import type { AttentionSizes } from '../engine/fused.ts'
import { ShapeError } from '../errors.ts'
import { scope } from '../tensor/scope.ts'
import { type Axes, empty, type Tensor } from '../tensor/tensor.ts'
import {
  type Attended,
  type AttentionOptions,
  attention,
  attentionFlops,
  attentionPullback,
  attentionPullbackFlops,
  attentionSizes,
} from './attention.ts'
import { expectShape } from './axis.ts'
import { launch } from './launch.ts'
import { concat, split } from './slice.ts'

export type JointAttentionOptions = Omit<AttentionOptions, 'keys'>

/** Columns of queries, keys and values. */
const columnsOf = ({ heads, keyValueHeads, headWidth }: AttentionSizes): readonly [number, number, number] => {
  const key = keyValueHeads * headWidth
  return [heads * headWidth, key, key]
}

const sizesOf = (joint: Tensor, options: JointAttentionOptions): AttentionSizes => {
  const { heads, keyValueHeads = heads } = options
  const [batch, time, width] = joint.shape
  const headWidth = width / (heads + 2 * keyValueHeads)
  if (joint.shape.length !== 3 || !Number.isInteger(headWidth))
    throw new ShapeError(
      `jointAttention: [${joint.shape}] is not (batch, time, width) of ${heads} heads over ${keyValueHeads}`,
    )
  const key = { shape: [batch, time, keyValueHeads * headWidth] }
  return attentionSizes({ shape: [batch, time, heads * headWidth] }, key, key, options)
}

const partsOf = (joint: Tensor, sizes: AttentionSizes): Tensor[] => split(joint, -1, columnsOf(sizes))

/**
 * `attention` of queries, keys and values that lie side by side, (batch, time, (heads + 2 keyValueHeads) · headWidth), as one projection gives them: read where
 * they are. Bound as there.
 */
export const jointAttention = <A extends Axes>(joint: Tensor, options: JointAttentionOptions): Attended<A> => {
  const { engine } = joint
  const sizes = sizesOf(joint, options)
  const override = engine.fused.jointAttention
  if (override === undefined)
    return scope(() => {
      const [query, key, value] = partsOf(joint, sizes)
      return attention(query.share<A>(), key, value, options)
    })
  const { batch, queries, heads } = sizes
  const out = empty<A>(engine, [batch, queries, columnsOf(sizes)[0]])
  const logSumExp = empty(engine, [batch, heads, queries])
  launch(engine, attentionFlops(sizes), joint, out, logSumExp)
  override(out.storage, logSumExp.storage, joint.storage, sizes)
  return { value: out, logSumExp }
}

/** dQuery, dKey and dValue of `attentionPullback`, side by side too. */
export const jointAttentionPullback = <A extends Axes, J extends Axes>(
  dOut: Tensor<A>,
  joint: Tensor<J>,
  attended: Attended<A>,
  options: JointAttentionOptions,
): Tensor<J> => {
  const { engine } = joint
  const sizes = sizesOf(joint, options)
  expectShape('jointAttentionPullback', dOut.shape, [sizes.batch, sizes.queries, columnsOf(sizes)[0]])
  const override = engine.fused.jointAttentionPullback
  if (override === undefined)
    return scope(() => {
      const [query, key, value] = partsOf(joint, sizes)
      const { dQuery, dKey, dValue } = attentionPullback(dOut, query.share<A>(), key, value, attended, options)
      return concat<J>([dQuery, dKey, dValue], -1)
    })
  const { value: out, logSumExp } = attended
  const dJoint = empty<J>(engine, joint.shape)
  launch(engine, attentionPullbackFlops(sizes), dOut, joint, out, logSumExp, dJoint)
  override(dJoint.storage, dOut.storage, joint.storage, out.storage, logSumExp.storage, sizes)
  return dJoint
}
