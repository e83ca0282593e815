import type { Engine, HostData } from '../engine/engine.ts'
import { ShapeError, UsedAfterFreeError } from '../errors.ts'
import { innermost, leave, Owned } from './region.ts'
import type { Storage } from './storage.ts'

/** Names of a tensor's axes, outermost first: known to the compiler only. */
export type Axes = readonly string[]
export type Shape = readonly number[]

declare const axes: unique symbol

/** The number of elements of a shape, whose lengths are natural numbers; otherwise a ShapeError. */
export const sizeOf = (shape: Shape): number => {
  let size = 1
  for (let i = 0; i < shape.length; i++) {
    const length = shape[i]
    if (!Number.isInteger(length) || length < 0)
      throw new ShapeError(`expected natural lengths, found shape [${shape}]`)
    size *= length
  }
  return size
}

/**
 * A dense, row-major array on an engine: axes named at compile time, sizes known at run time.
 * It belongs to the scope it was made in, which frees it; using it afterwards throws.
 */
export class Tensor<out A extends Axes = Axes> extends Owned {
  declare readonly [axes]: A
  readonly shape: Shape
  readonly size: number
  readonly #storage: Storage
  #live = true

  /** `size` is that of the shape, for who knows it. */
  constructor(storage: Storage, shape: Shape, size = sizeOf(shape)) {
    super()
    this.#storage = storage
    this.shape = shape
    this.size = size
    if (size > storage.size)
      throw new ShapeError(`shape [${shape}] needs ${size} elements, storage has ${storage.size}`)
    innermost()?.take(this)
  }

  get engine(): Engine {
    return this.#storage.engine
  }

  /** False once its scope closed or a step consumed it. */
  get live(): boolean {
    return this.#live
  }

  get storage(): Storage {
    if (!this.#live)
      throw new UsedAfterFreeError(
        `a tensor of shape [${this.shape}] was used after its scope closed or a step consumed it: return it from the scope, name it in \`saved\`, fork the state, or read it`,
      )
    return this.#storage
  }

  /** A second owner of the same numbers, under another shape of equal size if given. Copies nothing. */
  share<const B extends Axes = A>(shape: Shape = this.shape): Tensor<B> {
    const storage = this.storage
    const size = shape === this.shape ? this.size : sizeOf(shape)
    if (size !== this.size)
      throw new ShapeError(`cannot view shape [${this.shape}] as [${shape}]: ${this.size} elements, not ${size}`)
    storage.owners++
    return new Tensor<B>(storage, shape, size)
  }

  /** Gives up this owner; the last one frees the storage. Called by scopes and drivers, never in ordinary code. */
  release(): void {
    if (!this.#live) return
    this.#live = false
    leave(this)
    if (--this.#storage.owners === 0) this.engine.free(this.#storage)
  }
}

/** An uninitialised tensor, for kernels that write every element. Any engine counts it. */
export const empty = <const A extends Axes>(engine: Engine, shape: Shape): Tensor<A> => {
  const size = sizeOf(shape)
  return new Tensor<A>(engine.allocate(size), shape, size)
}

/** A tensor from host numbers, row-major. */
export const tensor = <const A extends Axes>(engine: Engine, shape: Shape, values: ArrayLike<number>): Tensor<A> => {
  if (values.length !== sizeOf(shape))
    throw new ShapeError(`shape [${shape}] takes ${sizeOf(shape)} values, found ${values.length}`)
  const result = empty<A>(engine, shape)
  engine.write(result.storage, values)
  return result
}

/** Copies a tensor's numbers to the host: at once on CPU engines, as a promise on a GPU. The only asynchronous door. */
export const read = (x: Tensor): HostData | Promise<HostData> => x.engine.read(x.storage, x.size)

/** As `read`, for engines that answer at once; throws on those that do not. */
export const readNow = (x: Tensor): HostData => {
  const data = read(x)
  if (data instanceof Promise) throw new TypeError(`the ${x.engine.name} engine reads asynchronously: await read(x)`)
  return data
}
