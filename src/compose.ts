import type { Category2 } from 'fp-ts/lib/Category.js'
import type { Named } from './context.ts'
import { accumulateCotangents } from './cotangent.ts'
import { concat, joinStates, none, type Operator, type Pulled, valueOnly } from './operator.ts'
import type { Tensor } from './tensor/tensor.ts'

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
      pullback: d => {
        const gradients: Named[] = []
        const dInput = steps.reduceRight((dValue, step) => {
          const [own, dStep] = step.pullback(dValue)
          gradients.unshift(own)
          return dStep
        }, d)
        return [concat(...gradients), dInput]
      },
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
