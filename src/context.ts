import type { Engine } from './engine/engine.ts'
import { InputError, ShapeError } from './errors.ts'
import { sameShape } from './kernel/axis.ts'
import { fold, type Key, key } from './random.ts'
import { isTensor, trainable, type Weight } from './tensor/quantizedMatrix.ts'
import type { Shape, Tensor } from './tensor/tensor.ts'

/** Tensors by path: parameters, gradients, states. */
export type Named = Readonly<Record<string, Tensor>>

/** Parameters by path; matrices may be in fewer bits, for decoding and evaluation. */
export type Weights = Readonly<Record<string, Weight>>

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
  readonly parameters: Weights
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

export const context = (parameters: Weights, more: Partial<Context> = {}): Context => ({
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

/** Paths by prefix and name. Each is asked for at every step: the same string again is one whose hash is known. */
const paths = new Map<string, Map<string, string>>()
/** More prefixes than a model has: then names are made up on the way, and remembering them would only leak. */
const MOST_PREFIXES = 10_000

const joined = (prefix: string, name: string): string => {
  let names = paths.get(prefix)
  if (names === undefined) {
    if (paths.size === MOST_PREFIXES) paths.clear()
    names = new Map()
    paths.set(prefix, names)
  }
  let path = names.get(name)
  if (path === undefined) {
    path = prefix + name
    names.set(name, path)
  }
  return path
}

/** `name` under the context's path: what parameters, gradients and states go by. */
export const pathOf = (c: Context, name: string): string => joined(c.path, name)

/** As `parameter`, in whatever bits: what products and lookups take. */
export const weight = (c: Context, name: string, shape: Shape, init: Initializer): Weight => {
  const path = pathOf(c, name)
  const found = c.parameters[path] ?? c.declare?.(path, shape, init)
  if (found === undefined) throw new InputError(`parameter ${path}: expected shape [${shape}], found none`)
  if (!sameShape(found.shape, shape))
    throw new ShapeError(`parameter ${path}: expected shape [${shape}], found [${found.shape}]`)
  return found
}

/** The parameter `name` under the context's path, its shape checked; declared where the context declares. */
export const parameter = (c: Context, name: string, shape: Shape, init: Initializer): Tensor =>
  trainable(weight(c, name, shape, init), pathOf(c, name))

/** Gradients by the paths of their parameters; a parameter that is not there has none. */
export const gradientsOf = (c: Context, ...gradients: readonly (readonly [name: string, Tensor | null])[]): Named => {
  const result: Record<string, Tensor> = {}
  for (const [name, gradient] of gradients) if (gradient !== null) result[pathOf(c, name)] = gradient
  return result
}

/** The key of this operator in this run: independent of the order of operators. */
export const keyAt = (c: Context, name: string): Key => fold(c.key, pathOf(c, name))

/** The same context under `prefix`, which ends with a dot. */
export const within = (c: Context, prefix: string): Context => ({ ...c, path: joined(c.path, prefix) })

/** The engine of a model's parameters; token ids have none. */
export const engineOf = (parameters: Weights): Engine => {
  for (const name in parameters) {
    const found = parameters[name]
    if (found !== undefined) return isTensor(found) ? found.engine : found.cells.engine
  }
  throw new InputError('a model without parameters has no engine')
}
