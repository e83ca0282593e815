/** Host numbers for tensors: f32 values, so that an f32 engine and the reference see the same; lengths 0 and 1 are common. */
import fc from 'fast-check'
import { fold, key, normal } from '../../src/random.ts'

/** Row-major numbers with a shape. */
export interface HostArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

/** Lengths of axes: empty, single, small, and about the widths of vectors and panels. */
export const length = (max = 40): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.constant(1) },
    { weight: 5, arbitrary: fc.integer({ min: 2, max: Math.min(9, max) }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max }) },
  )

/** As `length`, never empty. */
export const positiveLength = (max = 40): fc.Arbitrary<number> => length(max).map(n => Math.max(n, 1))

export const shape = (rank: { min: number; max: number }, max = 9): fc.Arbitrary<number[]> =>
  fc.array(length(max), { minLength: rank.min, maxLength: rank.max })

/** Where numbers come from: a seed and their deviation. */
export interface Draw {
  readonly seed: number
  readonly deviation: number
}

export const draw: fc.Arbitrary<Draw> = fc.record({
  seed: fc.nat(2 ** 30),
  deviation: fc.constantFrom(0.01, 1, 1, 4),
})

/** Normal numbers rounded to f32, the `index`-th array of a draw. */
export const numbers = ({ seed, deviation }: Draw, index: number, shape: readonly number[]): HostArray => {
  const size = shape.reduce((n, l) => n * l, 1)
  return { shape, values: normal(fold(key(seed), index), size).map(x => Math.fround(deviation * x)) }
}
