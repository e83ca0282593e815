import type { Category2 } from 'fp-ts/lib/Category.js'
import { type Context, type Named, within } from './context.ts'
import { add as sum } from './kernel/binary.ts'
import { scope } from './tensor/scope.ts'
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

const none: Named = {}

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

/** Sum of two gradients: the commutative monoid of `Named` records, `{}` its unit. A weight used twice gets both (law D8). */
export const concat = (x: Named, y: Named): Named => {
  const result: Record<string, Tensor> = { ...x }
  for (const [path, right] of Object.entries(y)) {
    const left = result[path]
    result[path] = left === undefined ? right : sum(left, right)
  }
  return result
}

export const id =
  <A>(): Operator<A, A> =>
  (_, input) => ({ value: input, state: none, saved: [], pullback: d => [none, d] })

/** Operators one after another, and their pullbacks in the other order (Fong, Spivak & Tuyéras, arXiv 1711.10455). */
const composite =
  <A>(operators: readonly Operator<A, A>[]): Operator<A, A> =>
  (c, input) => {
    const steps: Pulled<A, A>[] = []
    let value = input
    let state = none
    for (const operator of operators) {
      const step = operator(c, value)
      value = step.value
      state = joinStates(state, step.state)
      if (c.differentiable) steps.push(step)
    }
    if (!c.differentiable) return valueOnly(value, state)
    return {
      value,
      state,
      saved: steps.flatMap(({ saved }) => saved),
      pullback: d =>
        steps.reduceRight<readonly [Named, Cotangent<A>]>(
          ([gradients, dValue], step) => {
            const [own, dInput] = step.pullback(dValue)
            return [concat(own, gradients), dInput]
          },
          [none, d],
        ),
    }
  }

/** `g` after `f`. */
export function compose<A, B, C>(f: Operator<A, B>, g: Operator<B, C>): Operator<A, C>
export function compose(f: Operator<unknown, unknown>, g: Operator<unknown, unknown>): Operator<unknown, unknown> {
  return composite([f, g])
}

/** Operators as a lawful fp-ts category. */
export const category: Category2<'Operator'> = { URI: 'Operator', id, compose: (g, f) => compose(f, g) }

export const parallel =
  <A, B, C, D>(f: Operator<A, B>, g: Operator<C, D>): Operator<readonly [A, C], readonly [B, D]> =>
  (c, [left, right]) => {
    const x = f(c, left)
    const y = g(c, right)
    return {
      value: [x.value, y.value],
      state: joinStates(x.state, y.state),
      saved: c.differentiable ? [...x.saved, ...y.saved] : [],
      pullback: ([dx, dy]) => {
        const [df, dLeft] = x.pullback(dx)
        const [dg, dRight] = y.pullback(dy)
        return [concat(df, dg), [dLeft, dRight]]
      },
    }
  }

/** x -> (x, x); its pullback adds (law D7). */
export const copy =
  <A extends Tensor>(): Operator<A, readonly [A, A]> =>
  (_, input) => ({
    value: [input, input],
    state: none,
    saved: [],
    pullback: ([dx, dy]) => [none, accumulateCotangents(dx, dy)],
  })

/** (x, y) -> x + y of equal shapes; its pullback copies (law D7). */
export const add =
  <X extends Tensor>(): Operator<readonly [X, X], X> =>
  (_, [x, y]) => ({ value: accumulateCotangents(x, y), state: none, saved: [], pullback: d => [none, [d, d]] })

/** x + f(x) (He et al., arXiv 1512.03385): `sequence(copy(), parallel(f, id()), add())`. */
export const residual =
  <X extends Tensor>(f: Operator<X, X>): Operator<X, X> =>
  (c, x) => {
    const y = f(c, x)
    const value = accumulateCotangents(y.value, x)
    if (!c.differentiable) return valueOnly(value, y.state)
    return {
      value,
      state: y.state,
      saved: y.saved,
      pullback: d => {
        const [gradients, dx] = y.pullback(d)
        return [gradients, accumulateCotangents(dx, d)]
      },
    }
  }

/** Operators in data-flow order. */
export function sequence<A, B>(f: Operator<A, B>): Operator<A, B>
export function sequence<A, B, C>(f: Operator<A, B>, g: Operator<B, C>): Operator<A, C>
export function sequence<A, B, C, D>(f: Operator<A, B>, g: Operator<B, C>, h: Operator<C, D>): Operator<A, D>
export function sequence<A, B, C, D, E>(
  f: Operator<A, B>,
  g: Operator<B, C>,
  h: Operator<C, D>,
  i: Operator<D, E>,
): Operator<A, E>
export function sequence<A, B, C, D, E, F>(
  f: Operator<A, B>,
  g: Operator<B, C>,
  h: Operator<C, D>,
  i: Operator<D, E>,
  j: Operator<E, F>,
): Operator<A, F>
export function sequence<A, B, C, D, E, F, G>(
  f1: Operator<A, B>,
  f2: Operator<B, C>,
  f3: Operator<C, D>,
  f4: Operator<D, E>,
  f5: Operator<E, F>,
  f6: Operator<F, G>,
): Operator<A, G>
export function sequence<A, B, C, D, E, F, G, H>(
  f1: Operator<A, B>,
  f2: Operator<B, C>,
  f3: Operator<C, D>,
  f4: Operator<D, E>,
  f5: Operator<E, F>,
  f6: Operator<F, G>,
  f7: Operator<G, H>,
): Operator<A, H>
export function sequence<A, B, C, D, E, F, G, H, I>(
  f1: Operator<A, B>,
  f2: Operator<B, C>,
  f3: Operator<C, D>,
  f4: Operator<D, E>,
  f5: Operator<E, F>,
  f6: Operator<F, G>,
  f7: Operator<G, H>,
  f8: Operator<H, I>,
): Operator<A, I>
export function sequence<A, B, C, D, E, F, G, H, I, J>(
  f1: Operator<A, B>,
  f2: Operator<B, C>,
  f3: Operator<C, D>,
  f4: Operator<D, E>,
  f5: Operator<E, F>,
  f6: Operator<F, G>,
  f7: Operator<G, H>,
  f8: Operator<H, I>,
  f9: Operator<I, J>,
): Operator<A, J>
export function sequence(...operators: readonly Operator<unknown, unknown>[]): Operator<unknown, unknown> {
  return composite(operators)
}

/** The same operator any number of times over, each with its own. */
export const stack = <A>(operators: readonly Operator<A, A>[]): Operator<A, A> => composite(operators)

/** Prefixes the names of `op` and frees its intermediates at once, keeping what its pullback saved: the peak stays near what is needed. */
export const scoped = <A, B>(name: string, op: Operator<A, B>): Operator<A, B> => {
  const prefix = `${name}.`
  return (c, input) => {
    const inner = within(c, prefix)
    if (!c.differentiable) return valueAlone(op, inner, input)
    const y = scope(() => op(inner, input))
    return { ...y, pullback: d => scope(() => y.pullback(d)) }
  }
}

/** The value and the states alone, everything else freed. */
const valueAlone = <A, B>(op: Operator<A, B>, c: Context, input: A): Pulled<A, B> => {
  const { value, state } = scope(() => {
    const y = op(c, input)
    return { value: y.value, state: y.state }
  })
  return valueOnly(value, state)
}

/** Saves nothing but what its caller holds anyway, the input, and computes `op` again for the pullback: same value, same gradient. */
export const checkpoint =
  <A, B>(op: Operator<A, B>): Operator<A, B> =>
  (c, input) => {
    const { value, state } = valueAlone(op, c, input)
    return { value, state, saved: tensorsIn(input), pullback: d => scope(() => op(c, input).pullback(d)) }
  }

/** Sum of two cotangents of one value, by its structure. */
export function accumulateCotangents<C>(x: C, y: C): C
export function accumulateCotangents(x: unknown, y: unknown): unknown {
  if (x instanceof Tensor && y instanceof Tensor) return sum(x, y)
  if (Array.isArray(x) && Array.isArray(y)) return x.map((item, i) => accumulateCotangents(item, y[i]))
  return null
}

const tensorsIn = (input: unknown): Tensor[] =>
  input instanceof Tensor ? [input] : Array.isArray(input) ? input.flatMap(tensorsIn) : []
