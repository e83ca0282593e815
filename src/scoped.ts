import { type Context, type Tap, within } from './context.ts'
import { type Operator, type Pulled, valueOnly } from './operator.ts'
import { scope } from './tensor/scope.ts'
import { Tensor } from './tensor/tensor.ts'

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

/**
 * Saves nothing but what its caller holds anyway, the input, and computes `op` again for the pullback: same value, same gradient, and taps are shown
 * the same.
 */
export const checkpoint =
  <A, B>(op: Operator<A, B>): Operator<A, B> =>
  (c, input) => {
    const { value, state } = valueAlone(op, c, input)
    return { value, state, saved: tensorsIn(input), pullback: d => scope(() => again(op, c, input).pullback(d)) }
  }

/** `op` once more: what it shows on its way was shown the first time, what its pullback shows was not. */
const again = <A, B>(op: Operator<A, B>, c: Context, input: A): Pulled<A, B> => {
  const { tap } = c
  if (tap === null) return op(c, input)
  let pulling = false
  const later: Tap = (name, value) => {
    if (pulling) tap(name, value)
  }
  const pulled = op({ ...c, tap: later }, input)
  pulling = true
  return pulled
}

const tensorsIn = (input: unknown): Tensor[] =>
  input instanceof Tensor ? [input] : Array.isArray(input) ? input.flatMap(tensorsIn) : []
