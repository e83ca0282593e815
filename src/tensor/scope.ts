import { innermost, leave, Region } from './region.ts'
import { Tensor } from './tensor.ts'

/** Visits every tensor reachable from a value through arrays and plain records. Closures are opaque: hence `Pulled.saved`. */
export const eachTensor = (value: unknown, visit: (tensor: Tensor) => void): void => {
  if (value === null || typeof value !== 'object') return
  if (isTensor(value)) visit(value)
  else if (Array.isArray(value)) for (const item of value) eachTensor(item, visit)
  else if (isRecord(value)) for (const name in value) eachTensor(value[name], visit)
}

/** The tensors that `eachTensor` visits, each once. */
export const tensorsOf = (value: unknown): Set<Tensor> => {
  const found = new Set<Tensor>()
  eachTensor(value, tensor => found.add(tensor))
  return found
}

const isTensor = (value: object): value is Tensor => value instanceof Tensor
const isRecord = (value: object): value is Readonly<Record<string, unknown>> => !ArrayBuffer.isView(value)

/**
 * Runs `body`, then frees every tensor made inside except those reachable from its result, which pass to the enclosing scope.
 * If `body` throws, all are freed.
 */
export const scope = <T>(body: () => T): T => {
  const outer = innermost()
  const region = new Region()
  try {
    const result = region.run(body)
    if (result instanceof Promise) throw new TypeError('scope is synchronous: read outside it')
    eachTensor(result, tensor => {
      if (tensor.owner !== region) return
      if (outer === null) leave(tensor)
      else outer.take(tensor)
    })
    return result
  } finally {
    region.close()
  }
}
