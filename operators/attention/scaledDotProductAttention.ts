import { type Context, pathOf } from '../../src/context.ts'
import { append } from '../../src/kernel/append.ts'
import {
  attention,
  attentionPullback,
  attentionSizes,
  type AttentionOptions as KernelOptions,
} from '../../src/kernel/attention.ts'
import { attentionWeights, weightedPullback, weightedValues } from '../../src/kernel/attentionWeights.ts'
import { zeros } from '../../src/kernel/fill.ts'
import { slice } from '../../src/kernel/slice.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'

export type Queries = Tensor<readonly ['batch', 'time', 'query']>
export type Keys = Tensor<readonly ['batch', 'time', 'key']>
export type Values = Tensor<readonly ['batch', 'time', 'value']>

export interface AttentionOptions extends Omit<KernelOptions, 'keys'> {
  /** Added to the scores, broadcast to (batch, heads, queries, keys): 0 lets a key be seen, -infinity hides it. Takes the unfused path. */
  readonly mask?: Tensor
}

type Attention = Operator<readonly [Queries, Keys, Values], Queries>

/**
 * softmax(scale · Q Kᵀ + mask) V for each head. In a context with a `capacity` the new keys and values are appended to the caches `key` and `value`
 * of the state and the queries see all that came before: the cached decoder is this operator with its state threaded. Taps `weights`
 * (batch, heads, queries, keys). Source: Vaswani et al., arXiv 1706.03762, 3.2. Laws A3-A9, A12, L3-L5.
 */
export const scaledDotProductAttention =
  (options: AttentionOptions): Attention =>
  (c, [query, newKey, newValue]) => {
    const cached = c.capacity !== null
    const state: Record<string, Tensor> = {}
    const key = cached ? remember(c, 'key', newKey, c.capacity, state) : newKey
    const value = c.capacity !== null ? remember(c, 'value', newValue, c.capacity, state) : newValue
    const [, time] = newKey.shape
    const within = cached ? { keys: c.offset + time, ...options } : options
    /** Of the gradients of the whole cache, those of the positions that came with this input. */
    const own = <A extends Axes>(gradient: Tensor<A>): Tensor<A> =>
      cached ? slice(gradient, 1, c.offset, time) : gradient
    const tap = c.tap
    if (tap !== null)
      scope(() =>
        tap(
          pathOf(c, 'weights'),
          attentionWeights(query, key, attentionSizes(query, key, value, within), options.mask ?? null),
        ),
      )
    if (options.mask !== undefined) {
      const sizes = attentionSizes(query, key, value, within)
      const weights = attentionWeights(query, key, sizes, options.mask)
      return {
        value: weightedValues<readonly ['batch', 'time', 'query']>(weights, value, sizes),
        state,
        saved: [query, key, value, weights],
        pullback: d => {
          const { dQuery, dKey, dValue } = weightedPullback(d, weights, query, key, value, sizes)
          return [{}, [dQuery, own(dKey), own(dValue)]]
        },
      }
    }
    const attended = attention(query, key, value, within)
    return {
      value: attended.value,
      state,
      saved: [query, key, value, attended.value, attended.logSumExp],
      pullback: d => {
        const { dQuery, dKey, dValue } = attentionPullback(d, query, key, value, attended, within)
        return [{}, [dQuery, own(dKey), own(dValue)]]
      },
    }
  }

/** The cache `name` with `rows` appended at the context's offset, into `state`; (batch, capacity, width), made on first use. */
const remember = <A extends Axes>(
  c: Context,
  name: string,
  rows: Tensor<A>,
  capacity: number,
  state: Record<string, Tensor>,
): Tensor<A> => {
  const [batch, , width] = rows.shape
  const path = pathOf(c, name)
  const appended = append(c.state[path] ?? zeros(rows.engine, [batch, capacity, width]), rows, c.offset)
  state[path] = appended
  return appended
}
