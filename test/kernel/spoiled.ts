/** Wrong engines, for the negative controls of law K1: one kernel is off by a thousandth in its largest element, or drops a term. */
import type { Engine } from '../../src/engine/engine.ts'
import type { Fused } from '../../src/engine/fused.ts'
import type { Primitives } from '../../src/engine/primitives.ts'
import { Storage } from '../../src/tensor/storage.ts'

const RELATIVE = 1e-3

/** Moves the largest number of a storage by a thousandth of itself; a zero by a thousandth. */
const spoil = (storage: Storage): void => {
  const data = storage.engine.read(storage, storage.size)
  if (data instanceof Promise) throw new TypeError('negative controls need an engine that answers at once')
  let largest = 0
  data.forEach((x, i) => {
    if (Math.abs(x) > Math.abs(data[largest] ?? 0)) largest = i
  })
  const x = data[largest]
  if (x === undefined) return
  data[largest] = x === 0 ? RELATIVE : x * (1 + RELATIVE)
  storage.engine.write(storage, data)
}

/** The first storage in a list of arguments, lists and records among them. */
const firstStorage = (inputs: readonly unknown[]): Storage | undefined => {
  for (const input of inputs) {
    if (input instanceof Storage) return input
    const found = typeof input === 'object' && input !== null ? firstStorage(Object.values(input)) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** A record whose function `name` spoils what it wrote; the first storage among the arguments is the output. */
const spoiling = <R extends object>(record: R, name: keyof R): R =>
  new Proxy(record, {
    get: (target, property, receiver) => {
      const found: unknown = Reflect.get(target, property, receiver)
      if (property !== name || typeof found !== 'function') return found
      return (...inputs: readonly unknown[]) => {
        Reflect.apply(found, target, inputs)
        const out = firstStorage(inputs)
        if (out !== undefined) spoil(out)
      }
    },
  })

/** Kernels find their engine through their tensors, so the wrong kernels are put into the engine itself. */
const replace = (engine: Engine, property: 'primitives' | 'fused', value: object): Engine => {
  Object.defineProperty(engine, property, { value })
  return engine
}

export const withSpoiledPrimitive = (engine: Engine, name: keyof Primitives): Engine =>
  replace(engine, 'primitives', spoiling(engine.primitives, name))

export const withSpoiledFused = (engine: Engine, name: keyof Fused): Engine =>
  replace(engine, 'fused', spoiling(engine.fused, name))

/** The sum of a whole tensor leaves out its last term. */
export const withDroppedTerm = (engine: Engine): Engine => {
  const { primitives } = engine
  return replace(engine, 'primitives', {
    ...primitives,
    reduce: (...[op, out, x, view]: Parameters<Primitives['reduce']>) => {
      const drops = op === 'sum' && view.outer === 1 && view.inner === 1 && view.length > 1
      primitives.reduce(op, out, x, drops ? { ...view, length: view.length - 1 } : view)
    },
  })
}
