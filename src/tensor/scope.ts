import { Tensor } from './tensor.ts'

/**
 * Memory belongs to scopes. Every tensor registers in the innermost open region; closing a region frees what was not kept.
 * The stack is synchronous: a region never stays open across an await.
 */
let current: Region | null = null

/** A set of tensors with one owner: a scope, a driver's state, or one emission of a stream. */
export class Region {
  readonly owns = new Set<Tensor>()

  /** Runs `body` with this region innermost. */
  run<T>(body: () => T): T {
    const outer = current
    current = this
    try {
      return body()
    } finally {
      current = outer
    }
  }

  /** Hands the tensors of `kept` that it owns to another region, or to nobody. */
  release(kept: ReadonlySet<Tensor>, to: Region | null): void {
    for (const tensor of kept) if (this.owns.delete(tensor)) to?.owns.add(tensor)
  }

  /** Frees everything it owns. */
  close(): void {
    for (const tensor of this.owns) tensor.release()
    this.owns.clear()
  }
}

export const adopt = (tensor: Tensor): void => {
  current?.owns.add(tensor)
}

/** Every tensor reachable from a value through arrays and plain records. Closures are opaque: hence `Pulled.saved`. */
export const tensorsOf = (value: unknown, into: Set<Tensor> = new Set()): Set<Tensor> => {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return into
  if (isTensor(value)) into.add(value)
  else for (const item of Array.isArray(value) ? value : Object.values(value)) tensorsOf(item, into)
  return into
}

const isTensor = (value: object): value is Tensor => value instanceof Tensor

/**
 * Runs `body`, then frees every tensor made inside except those reachable from its result, which pass to the enclosing scope.
 * If `body` throws, all are freed.
 */
export const scope = <T>(body: () => T): T => {
  const region = new Region()
  try {
    const result = region.run(body)
    if (result instanceof Promise) throw new TypeError('scope is synchronous: read outside it')
    region.release(tensorsOf(result), current)
    return result
  } finally {
    region.close()
  }
}
