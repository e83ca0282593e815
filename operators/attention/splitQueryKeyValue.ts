import { concat, slice } from '../../src/kernel/slice.ts'
import type { Operator } from '../../src/operator.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'
import type { Keys, Queries, Values } from './scaledDotProductAttention.ts'

type Joined = Tensor<readonly ['batch', 'time', 'qkv']>

/** Cuts one joint projection (…, query + 2 key) into queries, keys and values; the pullback joins again (law D5). */
export const splitQueryKeyValue =
  (query: number, key: number): Operator<Joined, readonly [Queries, Keys, Values]> =>
  (_, joined) => ({
    value: [
      slice<Axes, readonly ['batch', 'time', 'query']>(joined, -1, 0, query),
      slice<Axes, readonly ['batch', 'time', 'key']>(joined, -1, query, key),
      slice<Axes, readonly ['batch', 'time', 'value']>(joined, -1, query + key, key),
    ],
    state: {},
    saved: [],
    pullback: d => [{}, concat<readonly ['batch', 'time', 'qkv']>(d, -1)],
  })
