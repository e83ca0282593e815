import type { Context, Named } from './context.ts'
import type { Cotangent } from './cotangent.ts'
import { add as sum } from './kernel/binary.ts'
import type { Tensor } from './tensor/tensor.ts'

export interface Pulled<A, B> {
  readonly value: B
  /** States written, by path: caches, running statistics. */
  readonly state: Named
  /** Every tensor the pullback reads besides parameters: a closure is opaque, so scopes keep these. */
  readonly saved: readonly Tensor[]
  /** Gradients of the parameters by path, and the cotangent of the input. Linear; may be called more than once (law D3). */
  readonly pullback: (db: Cotangent<B>) => readonly [Named, Cotangent<A>]
}

/** A pure, differentiable function with named parameters. Laws D1-D12. */
export type Operator<A, B> = (context: Context, input: A) => Pulled<A, B>

declare module 'fp-ts/HKT' {
  interface URItoKind2<E, A> {
    readonly Operator: Operator<E, A>
  }
}

export const none: Named = {}

/** States written by two operators; most write none. */
export const joinStates = (x: Named, y: Named): Named => {
  if (isEmpty(y)) return x
  return isEmpty(x) ? y : { ...x, ...y }
}

const isEmpty = (x: Named): boolean => {
  for (const _ in x) return false
  return true
}

const nothing: readonly Tensor[] = []
const refuse = (): never => {
  throw new TypeError(
    'this value was computed in a context with `differentiable: false`, which saves nothing for a pullback',
  )
}

/** What an operator gives in a context that is not differentiable. */
export const valueOnly = <A, B>(value: B, state: Named): Pulled<A, B> => ({
  value,
  state,
  saved: nothing,
  pullback: refuse,
})

/** Sum of gradients: the commutative monoid of `Named` records, `{}` its unit. A weight used twice gets both (law D8). */
export const concat = (...parts: readonly Named[]): Named => {
  const result: Record<string, Tensor> = {}
  for (const part of parts)
    for (const path in part) {
      const left = result[path]
      result[path] = left === undefined ? part[path] : sum(left, part[path])
    }
  return result
}
