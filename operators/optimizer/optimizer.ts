/**
 * Optimizers are machines from gradients to updates, and chain (optax's algebra): an update is added to the parameters, so
 * gradient descent's is -rate · gradient.
 *
 *   (u_t, s_{t+1}) = step(s_t, { g_t, p_t })        p_{t+1} = p_t + u_t        by parameter name
 *
 * A step consumes its state, never its gradient or parameters. States are records of numbers and named tensors, made at the first step
 * (`init` knows no shapes). An empty gradient is no step: the update is empty and the state stays (law O11), which is
 * how `accumulate` holds the optimizers after it still. Laws: O1, O8, O11.
 */
import type * as t from 'io-ts'
import type { Named } from '../../src/context.ts'
import { InputError } from '../../src/errors.ts'
import type { Machine } from '../../src/machine.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

export interface GradientStep {
  readonly gradient: Named
  /** As they were when the gradient was taken; only read. */
  readonly parameters: Named
}

export interface Optimizer<S> extends Machine<S, GradientStep, Named> {
  /** Says what a stored state must look like: `unflatten(optimizer.codec, …)`. */
  readonly codec: t.Type<S, unknown, unknown>
}

/** Whether there is nothing to step on. */
export const isEmpty = (x: Named): boolean => {
  for (const _ in x) return false
  return true
}

/** f of every tensor, by name. */
export const mapNamed = (x: Named, f: (tensor: Tensor, name: string) => Tensor): Named =>
  Object.fromEntries(Object.entries(x).map(([name, tensor]) => [name, f(tensor, name)]))

/** The tensor under a name; an InputError says who asked for it in vain. */
export const at = (x: Named, name: string, what: string): Tensor => {
  const found = x[name]
  if (found === undefined) throw new InputError(`${what}: expected a parameter named ${name}, found none`)
  return found
}
