import type { Context, Named } from './context.ts'
import { accumulateCotangents, type Cotangent } from './cotangent.ts'
import { zeros } from './kernel/fill.ts'
import { concat, joinStates, type Operator, type Pulled, valueOnly } from './operator.ts'
import { Tensor } from './tensor/tensor.ts'

/** A named intermediate value of a `define`. Holds its cotangent while a pullback runs. */
export class Wire<A> {
  readonly value: A
  readonly tape: Tape
  cotangent: Cotangent<A> | undefined = undefined

  constructor(value: A, tape: Tape) {
    this.value = value
    this.tape = tape
  }

  receive(d: Cotangent<A>): void {
    this.cotangent = this.cotangent === undefined ? d : accumulateCotangents(this.cotangent, d)
  }
}

/** What one call of a `define` did, in order; where nobody will pull back, the states alone. */
class Tape {
  readonly context: Context
  state: Named = {}
  readonly saved: Tensor[] = []
  readonly #wires: Wire<unknown>[] = []
  readonly #steps: (() => Named)[] = []

  constructor(context: Context) {
    this.context = context
  }

  apply<A, B>(x: Wire<A>, op: (context: Context, x: A) => Pulled<A, B>): Wire<B> {
    const pulled = op(this.context, x.value)
    this.state = joinStates(this.state, pulled.state)
    const out = new Wire(pulled.value, this)
    if (!this.context.differentiable) return out
    for (const tensor of pulled.saved) this.saved.push(tensor)
    this.step(out, d => {
      const [gradients, dx] = pulled.pullback(d)
      x.receive(dx)
      return gradients
    })
    return out
  }

  /** Several wires as one, whose cotangent `share` hands out. */
  join<A>(value: A, share: (d: Cotangent<A>) => void): Wire<A> {
    const out = new Wire(value, this)
    if (this.context.differentiable)
      this.step(out, d => {
        share(d)
        return {}
      })
    return out
  }

  /** Members of one value as wires; `gather` hands on what flows back, where anything does. */
  split(members: readonly Wire<unknown>[], gather: () => void): void {
    if (!this.context.differentiable) return
    this.#wires.push(...members)
    this.#steps.push(() => {
      if (members.some(({ cotangent }) => cotangent !== undefined)) gather()
      return {}
    })
  }

  step<A>(out: Wire<A>, pull: (d: Cotangent<A>) => Named): void {
    this.#wires.push(out)
    this.#steps.push(() => (out.cotangent === undefined ? {} : pull(out.cotangent)))
  }

  /** From the cotangent of the result to the gradients and the cotangent of the input, if it has any. */
  pull<A, B>(input: Wire<A>, result: Wire<B>, d: Cotangent<B>): readonly [Named, Cotangent<A> | undefined] {
    this.#clear(input)
    result.receive(d)
    const gradients = concat(...this.#steps.toReversed().map(step => step()))
    const { cotangent } = input
    this.#clear(input)
    return [gradients, cotangent]
  }

  #clear(input: Wire<unknown>): void {
    input.cotangent = undefined
    for (const wire of this.#wires) wire.cotangent = undefined
  }
}

/** Applies operators to wires. A result used twice receives the sum of both cotangents. */
export interface Apply {
  <A, B>(input: Wire<A>, op: (context: Context, input: A) => Pulled<A, B>): Wire<B>
  /** Two wires as one, for operators of two inputs. */
  both<A, B>(x: Wire<A>, y: Wire<B>): Wire<readonly [A, B]>
  all<A, B, C>(x: Wire<A>, y: Wire<B>, z: Wire<C>): Wire<readonly [A, B, C]>
  /** The two members of a pair: undoes `both`. */
  pair<A, B>(x: Wire<readonly [A, B]>): readonly [Wire<A>, Wire<B>]
  /** The three members of a triple: undoes `all`. */
  triple<A, B, C>(x: Wire<readonly [A, B, C]>): readonly [Wire<A>, Wire<B>, Wire<C>]
}

const at: Apply = Object.assign(
  <A, B>(x: Wire<A>, op: (context: Context, x: A) => Pulled<A, B>): Wire<B> => x.tape.apply(x, op),
  {
    both: <A, B>(x: Wire<A>, y: Wire<B>): Wire<readonly [A, B]> =>
      x.tape.join<readonly [A, B]>([x.value, y.value], ([dx, dy]) => {
        x.receive(dx)
        y.receive(dy)
      }),
    all: <A, B, C>(x: Wire<A>, y: Wire<B>, z: Wire<C>): Wire<readonly [A, B, C]> =>
      x.tape.join<readonly [A, B, C]>([x.value, y.value, z.value], ([dx, dy, dz]) => {
        x.receive(dx)
        y.receive(dy)
        z.receive(dz)
      }),
    pair: <A, B>(x: Wire<readonly [A, B]>): readonly [Wire<A>, Wire<B>] => {
      const [u, v] = [new Wire(x.value[0], x.tape), new Wire(x.value[1], x.tape)]
      x.tape.split([u, v], () => x.receive([flowing(u), flowing(v)]))
      return [u, v]
    },
    triple: <A, B, C>(x: Wire<readonly [A, B, C]>): readonly [Wire<A>, Wire<B>, Wire<C>] => {
      const [u, v] = [new Wire(x.value[0], x.tape), new Wire(x.value[1], x.tape)]
      const w = new Wire(x.value[2], x.tape)
      x.tape.split([u, v, w], () => x.receive([flowing(u), flowing(v), flowing(w)]))
      return [u, v, w]
    },
  },
)

/**
 * A composite operator with named intermediate values: `define((at, x) => at(at(x, f), g))` is `sequence(f, g)`. The tape is local to one call, and
 * the result is the same composite of pullbacks; a wire whose axes do not fit is a type error.
 */
export const define =
  <A, B>(wiring: (at: Apply, input: Wire<A>) => Wire<B>): Operator<A, B> =>
  (c, input) => {
    const tape = new Tape(c)
    const first = new Wire(input, tape)
    const result = wiring(at, first)
    if (!c.differentiable) return valueOnly(result.value, tape.state)
    return {
      value: result.value,
      state: tape.state,
      saved: tape.saved,
      pullback: d => {
        const [gradients, dInput] = tape.pull(first, result, d)
        return [gradients, dInput ?? zeroCotangent(input)]
      },
    }
  }

/** What flows back into a wire: zero where nothing came. */
const flowing = <A>(x: Wire<A>): Cotangent<A> => x.cotangent ?? zeroCotangent(x.value)

/** The cotangent of a value that no result depends on. */
function zeroCotangent<A>(input: A): Cotangent<A>
function zeroCotangent(input: unknown): unknown {
  if (input instanceof Tensor) return zeros(input.engine, input.shape)
  return Array.isArray(input) ? input.map(item => zeroCotangent<unknown>(item)) : null
}
