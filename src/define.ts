import type { Context, Named } from './context.ts'
import { zeros } from './kernel/fill.ts'
import {
  accumulateCotangents,
  type Cotangent,
  concat,
  joinStates,
  type Operator,
  type Pulled,
  valueOnly,
} from './operator.ts'
import { Tensor } from './tensor/tensor.ts'

/** A named intermediate value of a `define`. Holds its cotangent while a pullback runs. */
export class Wire<A> {
  readonly value: A
  cotangent: Cotangent<A> | undefined = undefined

  constructor(value: A) {
    this.value = value
  }

  receive(d: Cotangent<A>): void {
    this.cotangent = this.cotangent === undefined ? d : accumulateCotangents(this.cotangent, d)
  }
}

/** Applies operators to wires. A result used twice receives the sum of both cotangents. */
export interface Apply {
  <A, B>(input: Wire<A>, op: (context: Context, input: A) => Pulled<A, B>): Wire<B>
  /** Two wires as one, for operators of two inputs. */
  both<A, B>(x: Wire<A>, y: Wire<B>): Wire<readonly [A, B]>
  all<A, B, C>(x: Wire<A>, y: Wire<B>, z: Wire<C>): Wire<readonly [A, B, C]>
}

/**
 * A composite operator with named intermediate values: `define((at, x) => at(at(x, f), g))` is `sequence(f, g)`. The tape is local to one call, and
 * the result is the same composite of pullbacks; a wire whose axes do not fit is a type error.
 */
export const define =
  <A, B>(wiring: (at: Apply, input: Wire<A>) => Wire<B>): Operator<A, B> =>
  (c, input) => {
    const saved: Tensor[] = []
    let state: Named = {}
    const wires: Wire<unknown>[] = []
    const steps: (() => Named)[] = []
    const wire = <X>(value: X): Wire<X> => {
      const made = new Wire(value)
      wires.push(made)
      return made
    }
    const apply = <X, Y>(x: Wire<X>, op: (context: Context, x: X) => Pulled<X, Y>): Wire<Y> => {
      const pulled = op(c, x.value)
      const out = wire(pulled.value)
      state = joinStates(state, pulled.state)
      if (!c.differentiable) return out
      for (const tensor of pulled.saved) saved.push(tensor)
      steps.push(() => {
        if (out.cotangent === undefined) return {}
        const [gradients, dx] = pulled.pullback(out.cotangent)
        x.receive(dx)
        return gradients
      })
      return out
    }
    const both = <X, Y>(x: Wire<X>, y: Wire<Y>): Wire<readonly [X, Y]> => {
      const out = wire<readonly [X, Y]>([x.value, y.value])
      steps.push(() => {
        if (out.cotangent === undefined) return {}
        const [dx, dy] = out.cotangent
        x.receive(dx)
        y.receive(dy)
        return {}
      })
      return out
    }
    const all = <X, Y, Z>(x: Wire<X>, y: Wire<Y>, z: Wire<Z>): Wire<readonly [X, Y, Z]> => {
      const out = wire<readonly [X, Y, Z]>([x.value, y.value, z.value])
      steps.push(() => {
        if (out.cotangent === undefined) return {}
        const [dx, dy, dz] = out.cotangent
        x.receive(dx)
        y.receive(dy)
        z.receive(dz)
        return {}
      })
      return out
    }
    const first = wire(input)
    const result = wiring(Object.assign(apply, { both, all }), first)
    if (!c.differentiable) return valueOnly(result.value, state)
    return {
      value: result.value,
      state,
      saved,
      pullback: d => {
        for (const w of wires) w.cotangent = undefined
        result.receive(d)
        const gradients = steps.reduceRight<Named>((sum, step) => concat(sum, step()), {})
        const dInput = first.cotangent ?? zeroCotangent(input)
        for (const w of wires) w.cotangent = undefined
        return [gradients, dInput]
      },
    }
  }

/** The cotangent of an input that no result depends on. */
function zeroCotangent<A>(input: A): Cotangent<A>
function zeroCotangent(input: unknown): unknown {
  if (input instanceof Tensor) return zeros(input.engine, input.shape)
  return Array.isArray(input) ? input.map(item => zeroCotangent<unknown>(item)) : null
}
