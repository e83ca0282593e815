import type { Engine } from '../../src/engine/engine.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'

/** Masks are added to scores: 0 lets a query see a key, -infinity hides it. Two masks combine by addition, as sets of hidden keys unite. */
type Mask = Tensor<readonly ['batch', 'heads', 'queries', 'keys']>

const maskOf = (
  engine: Engine,
  shape: readonly [number, number, number, number],
  visible: (batch: number, query: number, key: number) => boolean,
): Mask => {
  const [batches, heads, queries, keys] = shape
  const values = new Float64Array(batches * heads * queries * keys)
  let at = 0
  for (let b = 0; b < batches; b++)
    for (let h = 0; h < heads; h++)
      for (let q = 0; q < queries; q++) for (let k = 0; k < keys; k++) values[at++] = visible(b, q, k) ? 0 : -Infinity
  return tensor(engine, shape, values)
}

/** Keys of padding are hidden: row b shows keys start_b … end_b - 1. (batch, 1, 1, keys). Law L2. */
export const paddingMask = (
  engine: Engine,
  spans: readonly { readonly start: number; readonly end: number }[],
  keys: number,
): Mask =>
  maskOf(engine, [spans.length, 1, 1, keys], (b, _, k) => {
    const span = spans[b]
    return span !== undefined && k >= span.start && k < span.end
  })

/** Query i sees the last `width` keys up to and including key i + keys - queries. (1, 1, queries, keys). */
export const slidingWindowMask = (engine: Engine, queries: number, keys: number, width: number): Mask =>
  maskOf(engine, [1, 1, queries, keys], (_, q, k) => {
    const last = q + keys - queries
    return k <= last && k > last - width
  })
