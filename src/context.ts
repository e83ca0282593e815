import type { Engine } from './engine/engine.ts'
import { InputError, ShapeError } from './errors.ts'
import { fold, type Key, key } from './random.ts'
import type { Shape, Tensor } from './tensor/tensor.ts'

/** Tensors by path: parameters, gradients, states. */
export type Named = Readonly<Record<string, Tensor>>

/** How a parameter starts. `normal` has mean 0. */
export type Initializer =
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'constant'; readonly value: number }

export const normalInit = (deviation: number): Initializer => ({ kind: 'normal', deviation })
export const zerosInit: Initializer = { kind: 'constant', value: 0 }
export const onesInit: Initializer = { kind: 'constant', value: 1 }

/** Shows a value on its way, under its path; must not change it. */
export type Tap = (name: string, value: Tensor) => void

/** Makes a parameter that a model asks for: how the `shape` engine learns a model's parameter list. */
export type Declare = (path: string, shape: Shape, init: Initializer) => Tensor

/** Everything an operator reads besides its input, all by path (the collections of Flax). */
export interface Context {
  readonly parameters: Named
  /** Caches, running statistics. */
  readonly state: Named
  /** Prefix of every name, with its trailing dot: `h.0.attn.`. */
  readonly path: string
  /** The run's key; an operator folds it with its path (law D1). */
  readonly key: Key
  /** Dropout and batch statistics act only while training. */
  readonly train: boolean
  readonly tap: Tap | null
  /** Positions that came before this input: 0 but in cached decoding. */
  readonly offset: number
  /** Positions a cache holds; null where nothing is cached. */
  readonly capacity: number | null
  readonly declare: Declare | null
  /** False where nobody will call a pullback: nothing is saved for it, so memory and time are those of the value alone. */
  readonly differentiable: boolean
}

export const context = (parameters: Named, more: Partial<Context> = {}): Context => ({
  parameters,
  state: {},
  path: '',
  key: key(0),
  train: false,
  tap: null,
  offset: 0,
  capacity: null,
  declare: null,
  differentiable: true,
  ...more,
})

/** The parameter `name` under the context's path, its shape checked; declared where the context declares. */
export const parameter = (c: Context, name: string, shape: Shape, init: Initializer): Tensor => {
  const path = c.path + name
  const found = c.parameters[path] ?? c.declare?.(path, shape, init)
  if (found === undefined) throw new InputError(`parameter ${path}: expected shape [${shape}], found none`)
  if (found.shape.length !== shape.length || found.shape.some((length, i) => length !== shape[i]))
    throw new ShapeError(`parameter ${path}: expected shape [${shape}], found [${found.shape}]`)
  return found
}

/** The key of this operator in this run: independent of the order of operators. */
export const keyAt = (c: Context, name: string): Key => fold(c.key, c.path + name)

/** The same context one level down. */
export const within = (c: Context, name: string): Context => ({ ...c, path: `${c.path}${name}.` })

/** The engine of a model's parameters; token ids have none. */
export const engineOf = (parameters: Named): Engine => {
  for (const name in parameters) {
    const found = parameters[name]
    if (found !== undefined) return found.engine
  }
  throw new InputError('a model without parameters has no engine')
}
