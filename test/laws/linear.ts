/** D5 and D6: the dot-product test of a linear kernel and its adjoint (Claerbout), and linearity itself. On the reference. */
import type { Engine } from '../../src/engine/engine.ts'
import { fold, type Key, normal } from '../../src/random.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, type Shape, sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import type { Discrepancy } from './operator.ts'

type Tensors = readonly [Tensor, ...Tensor[]]

export interface LinearMap {
  readonly from: readonly Shape[]
  readonly to: readonly Shape[]
  readonly forward: (xs: Tensors) => readonly Tensor[]
  readonly backward: (ys: Tensors) => readonly Tensor[]
}

const TOLERANCE = 1e-12

const draw = (shapes: readonly Shape[], k: Key, name: string): Float64Array[] =>
  shapes.map((shape, i) => normal(fold(fold(k, name), i), sizeOf(shape)))

const apply = (
  engine: Engine,
  map: (xs: Tensors) => readonly Tensor[],
  shapes: readonly Shape[],
  values: readonly Float64Array[],
): Float64Array =>
  scope(() => {
    const [first, ...rest] = shapes.map((shape, i) => tensor(engine, shape, values[i] ?? []))
    if (first === undefined) throw new RangeError('a linear map has an input')
    return Float64Array.from(map([first, ...rest]).flatMap(y => Array.from(readNow(y))))
  })

const flat = (parts: readonly Float64Array[]): Float64Array =>
  Float64Array.from(parts.flatMap(part => Array.from(part)))
const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, a, i) => sum + a * (y[i] ?? Number.NaN), 0)
const norm = (x: Float64Array): number => Math.sqrt(dot(x, x))

const discrepancy = (at: string, error: number, tolerance: number): Discrepancy => ({
  at: `${at}: error ${error}, tolerance ${tolerance}`,
  ratio: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error === 0 ? 0 : error / tolerance,
})

/** D5: ⟨A x, y⟩ = ⟨x, A* y⟩. */
export const adjoint = (engine: Engine, map: LinearMap, k: Key): Discrepancy => {
  const [x, y] = [draw(map.from, k, 'x'), draw(map.to, k, 'y')]
  const ax = apply(engine, map.forward, map.from, x)
  const ay = apply(engine, map.backward, map.to, y)
  const size = norm(ax) * norm(flat(y)) + norm(flat(x)) * norm(ay)
  return discrepancy('⟨A x, y⟩', Math.abs(dot(ax, flat(y)) - dot(flat(x), ay)), TOLERANCE * size)
}

/** D6: A(2x - 3y) = 2 A x - 3 A y. */
export const linearity = (engine: Engine, map: LinearMap, k: Key): Discrepancy => {
  const [x, y] = [draw(map.from, k, 'x'), draw(map.from, k, 'y')]
  const mixed = x.map((part, i) => part.map((a, j) => 2 * a - 3 * (y[i]?.[j] ?? Number.NaN)))
  const [ax, ay] = [apply(engine, map.forward, map.from, x), apply(engine, map.forward, map.from, y)]
  const together = apply(engine, map.forward, map.from, mixed)
  const error = norm(together.map((a, i) => a - 2 * (ax[i] ?? Number.NaN) + 3 * (ay[i] ?? Number.NaN)))
  return discrepancy('A(2x - 3y)', error, TOLERANCE * (2 * norm(ax) + 3 * norm(ay)))
}
