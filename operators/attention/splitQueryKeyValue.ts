import { concat, slice } from '../../src/kernel/slice.ts'
import type { Operator } from '../../src/operator.ts'
import { scope } from '../../src/tensor/scope.ts'
import type { Axes, Tensor } from '../../src/tensor/tensor.ts'
import type { Keys, Queries, Values } from './scaledDotProductAttention.ts'

type Joined = Tensor<readonly ['batch', 'time', 'qkv']>

/** Cuts one joint projection (…, query + 2 key) into queries, keys and values; the pullback joins again (law D5). */
export const splitQueryKeyValue =
  (query: number, key: number): Operator<Joined, readonly [Queries, Keys, Values]> =>
  (_, joined) => {
    const part = <const A extends Axes>(start: number, count: number): Tensor<A> =>
      scope(() => slice(joined, -1, start, count).share<A>())
    return {
      value: [
        part<readonly ['batch', 'time', 'query']>(0, query),
        part<readonly ['batch', 'time', 'key']>(query, key),
        part<readonly ['batch', 'time', 'value']>(query + key, key),
      ],
      state: {},
      saved: [],
      pullback: d => [{}, concat<readonly ['batch', 'time', 'qkv']>(d, -1)],
    }
  }
