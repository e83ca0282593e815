import { context, type Initializer, type Named } from './context.ts'
import type { Engine } from './engine/engine.ts'
import { shapeEngine } from './engine/shape/engine.ts'
import type { Operator } from './operator.ts'
import { fold, type Key, normal } from './random.ts'
import { empty, type Shape, sizeOf, Tensor, tensor } from './tensor/tensor.ts'

export interface ParameterSpec {
  readonly shape: Shape
  readonly init: Initializer
}

/** The parameters an operator asks for, by path, in the order it asks: found by running it on the `shape` engine with a sample input. */
export const parametersOf = <A>(op: Operator<A, unknown>, sample: A): ReadonlyMap<string, ParameterSpec> => {
  const engine = shapeEngine()
  const specs = new Map<string, ParameterSpec>()
  const made = new Map<string, Tensor>()
  const declare = (path: string, shape: Shape, init: Initializer): Tensor => {
    const known = made.get(path)
    // One declared inside a scope is freed with it.
    if (known?.live) return known
    const parameter = empty(engine, shape)
    specs.set(path, { shape, init })
    made.set(path, parameter)
    return parameter
  }
  op(context({}, { declare }), sampleOn(engine, sample))
  return specs
}

/** The sample with its tensors' shapes on another engine, without their numbers. */
function sampleOn<A>(engine: Engine, sample: A): A
function sampleOn(engine: Engine, sample: unknown): unknown {
  if (sample instanceof Tensor) return empty(engine, sample.shape)
  return Array.isArray(sample) ? sample.map(part => sampleOn<unknown>(engine, part)) : sample
}

/** First values of one parameter: a function of the key and the path alone, so layers can be added without changing the others. */
export const initialValues = (path: string, { shape, init }: ParameterSpec, key: Key): Float64Array => {
  const size = sizeOf(shape)
  if (init.kind === 'constant') return new Float64Array(size).fill(init.value)
  return normal(fold(key, path), size).map(value => value * init.deviation)
}

/** Fresh parameters of an operator on an engine. */
export const initialize = <A>(op: Operator<A, unknown>, sample: A, engine: Engine, key: Key): Named =>
  Object.fromEntries(
    [...parametersOf(op, sample)].map(([path, spec]) => [
      path,
      tensor(engine, spec.shape, initialValues(path, spec, key)),
    ]),
  )
