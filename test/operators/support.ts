/** Small tensors on the reference engine, and comparisons of numbers. */
import fc from 'fast-check'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { key, normal } from '../../src/random.ts'
import { type Axes, readNow, type Shape, sizeOf, type Tensor, tensor } from '../../src/tensor/tensor.ts'

export const engine = referenceEngine()
export type Numbers = readonly number[]

/** Standard normal numbers of a seed. */
export const random = <const A extends Axes>(shape: Shape, seed: number, factor = 1): Tensor<A> =>
  tensor<A>(
    engine,
    shape,
    normal(key(seed), sizeOf(shape)).map(x => factor * x),
  )

export const numbers = (x: Tensor): number[] => Array.from(readNow(x))
export const close = (x: Numbers, y: Numbers, tolerance = 1e-9): boolean =>
  x.length === y.length && x.every((a, i) => Math.abs(a - (y[i] ?? Number.NaN)) <= tolerance * (1 + Math.abs(a)))
export const same = (x: Numbers, y: Numbers): boolean => x.length === y.length && x.every((a, i) => Object.is(a, y[i]))
/** x as rows of `width`. */
export const rows = (x: Numbers, width: number): Numbers[] =>
  Array.from({ length: x.length / width }, (_, i) => x.slice(i * width, (i + 1) * width))
export const sum = (x: Numbers): number => x.reduce((a, b) => a + b, 0)
export const seeds = fc.nat(1e6)
