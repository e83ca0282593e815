/** Small named tensors with gradients of the same shapes. */
import fc from 'fast-check'
import type { Values } from '../laws/optimizer.ts'

const shapes = fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }), { minLength: 1, maxLength: 3 })
const sizeOf = (shape: readonly number[]) => shape.reduce((n, length) => n * length, 1)

/** Numbers away from zero, so that signs and quotients are well conditioned. */
export const nonZero: fc.Arbitrary<number> = fc
  .tuple(fc.double({ min: 0.1, max: 3, noNaN: true }), fc.boolean())
  .map(([size, negative]) => (negative ? -size : size))

const valuesOf = (all: readonly (readonly number[])[], number: fc.Arbitrary<number>): fc.Arbitrary<Values> =>
  fc
    .tuple(...all.map(shape => fc.array(number, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })))
    .map(data => Object.fromEntries(all.map((shape, i) => [`h.${i}/w~`, { shape, values: data[i] }])))

/** Parameters and `count` gradients. */
export const trainings = (count: fc.Arbitrary<number>): fc.Arbitrary<readonly [Values, readonly Values[]]> =>
  fc
    .tuple(shapes, count)
    .chain(([all, n]) =>
      fc.tuple(valuesOf(all, nonZero), fc.array(valuesOf(all, nonZero), { minLength: n, maxLength: n })),
    )
