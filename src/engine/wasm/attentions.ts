/** Attention over the compiled kernels: queries, keys and values apart, or side by side in rows of one tensor. */
import type { AttentionSizes, Fused } from '../fused.ts'
import type { Kernels } from './binary.generated.ts'
import { FLOAT, QUERY_BLOCK } from './costs.ts'
import type { Memory } from './memory.ts'
import { addresses } from './storage.ts'

type Attentions = Pick<Fused, 'attention' | 'attentionPullback' | 'jointAttention' | 'jointAttentionPullback'>

/** Columns from one position to the next: of queries, and of keys and values. */
interface Strides {
  readonly query: number
  readonly key: number
}

/** Each by itself. */
const apart = ({ heads, keyValueHeads, headWidth }: AttentionSizes): Strides => ({
  query: heads * headWidth,
  key: keyValueHeads * headWidth,
})

/** Queries, then keys, then values, in a row. */
const together = ({ heads, keyValueHeads, headWidth }: AttentionSizes): Strides => {
  const row = (heads + 2 * keyValueHeads) * headWidth
  return { query: row, key: row }
}

type Three = readonly [query: number, key: number, value: number]

/** Addresses of the three in rows that begin at `joint`. */
const within = (joint: number, { heads, keyValueHeads, headWidth }: AttentionSizes): Three => {
  const key = joint + FLOAT * heads * headWidth
  return [joint, key, key + FLOAT * keyValueHeads * headWidth]
}

export const attentions = (memory: Memory, kernels: Kernels): Attentions => {
  const { at } = addresses(memory)
  const attend = (out: number, logSumExp: number, [query, key, value]: Three, strides: Strides, s: AttentionSizes) =>
    kernels.attention(
      ...([out, logSumExp, query, key, value, s.queries, s.keys, s.keyCapacity, s.heads, s.keyValueHeads] as const),
      ...([s.headWidth, strides.query, strides.key, Number(s.causal), s.scale] as const),
      0,
      s.batch * s.heads * Math.ceil(s.queries / QUERY_BLOCK),
      memory.scratch(kernels.attentionScratch(s.headWidth)),
    )
  const pull = (
    [dQuery, dKey, dValue]: Three,
    dOut: number,
    [query, key, value]: Three,
    out: number,
    logSumExp: number,
    strides: Strides,
    s: AttentionSizes,
  ) =>
    kernels.attentionPullback(
      ...([dQuery, dKey, dValue, dOut, query, key, value, out, logSumExp] as const),
      ...([s.queries, s.keys, s.keyCapacity, s.heads, s.keyValueHeads, s.headWidth] as const),
      ...([strides.query, strides.key, Number(s.causal), s.scale] as const),
      0,
      s.batch * s.keyValueHeads,
      memory.scratch(kernels.attentionPullbackScratch(s.headWidth)),
    )
  return {
    attention: (out, logSumExp, query, key, value, sizes) =>
      attend(at(out), at(logSumExp), [at(query), at(key), at(value)], apart(sizes), sizes),
    attentionPullback: (dQuery, dKey, dValue, dOut, query, key, value, out, logSumExp, sizes) => {
      const gradients = [at(dQuery), at(dKey), at(dValue)] as const
      const inputs = [at(query), at(key), at(value)] as const
      pull(gradients, at(dOut), inputs, at(out), at(logSumExp), apart(sizes), sizes)
    },
    jointAttention: (out, logSumExp, joint, sizes) =>
      attend(at(out), at(logSumExp), within(at(joint), sizes), together(sizes), sizes),
    jointAttentionPullback: (dJoint, dOut, joint, out, logSumExp, sizes) => {
      const [gradients, inputs] = [within(at(dJoint), sizes), within(at(joint), sizes)]
      pull(gradients, at(dOut), inputs, at(out), at(logSumExp), together(sizes), sizes)
    },
  }
}
