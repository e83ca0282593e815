import { add as sum } from './kernel/binary.ts'
import { Tensor } from './tensor/tensor.ts'
import type { Times } from './tensor/times.ts'
import type { Tokens } from './tensor/tokens.ts'

/** What flows back into a value: a tensor of its shape, null for token ids and times, the pair of both for a pair. */
export type Cotangent<A> =
  A extends Tensor<infer X>
    ? Tensor<X>
    : A extends Tokens | Times
      ? null
      : A extends readonly [infer X, infer Y]
        ? readonly [Cotangent<X>, Cotangent<Y>]
        : A extends readonly [infer X, infer Y, infer Z]
          ? readonly [Cotangent<X>, Cotangent<Y>, Cotangent<Z>]
          : never

/** Sum of two cotangents of one value, by its structure. */
export function accumulateCotangents<C>(x: C, y: C): C
export function accumulateCotangents(x: unknown, y: unknown): unknown {
  if (x instanceof Tensor && y instanceof Tensor) return sum(x, y)
  if (Array.isArray(x) && Array.isArray(y)) return x.map((item, i) => accumulateCotangents(item, y[i]))
  return null
}
