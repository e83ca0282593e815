import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { add } from '../../src/kernel/binary.ts'
import { dropout } from '../../src/kernel/dropout.ts'
import { gather, scatterAdd } from '../../src/kernel/gather.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { inverseOrder, permute } from '../../src/kernel/permute.ts'
import { broadcastTo, reduceTo, sum } from '../../src/kernel/reduce.ts'
import { rotary } from '../../src/kernel/rotary.ts'
import { concat, pad, slice, split } from '../../src/kernel/slice.ts'
import { key } from '../../src/random.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { positiveLength } from '../arbitraries/tensor.ts'
import { adjoint, type LinearMap, linearity } from '../laws/linear.ts'
import { breaks, holds } from '../property.ts'

type Build = (a: number, b: number, c: number, seed: number) => LinearMap

/** A linear kernel and its adjoint, by three lengths and a seed. */
const pairs: Readonly<Record<string, Build>> = {
  'sum, broadcast': (a, b, c) => ({
    from: [[a, b, c]],
    to: [[a, 1, c]],
    forward: ([x]) => [sum(x, 1)],
    backward: ([y]) => [broadcastTo(y, [a, b, c])],
  }),
  'reduceTo, broadcastTo': (a, b, c) => ({
    from: [[b, c]],
    to: [[a, b, c]],
    forward: ([x]) => [broadcastTo(x, [a, b, c])],
    backward: ([y]) => [reduceTo(y, [b, c])],
  }),
  'gather, scatterAdd': (a, b, c, seed) => {
    const ids = tokens(Array.from({ length: c }, (_, i) => (seed * (i + 1) + i) % a))
    return {
      from: [[a, b]],
      to: [[1, c, b]],
      forward: ([x]) => [gather(x, ids)],
      backward: ([y]) => [scatterAdd(y, ids, a)],
    }
  },
  'slice, pad': (a, b, c, seed) => ({
    from: [[a, b + c]],
    to: [[a, b]],
    forward: ([x]) => [slice(x, 1, seed % (c + 1), b)],
    backward: ([y]) => [pad(y, 1, seed % (c + 1), b + c)],
  }),
  'concat, split': (a, b, c) => ({
    from: [
      [a, b],
      [a, c],
    ],
    to: [[a, b + c]],
    forward: ([x, y]) => [concat([x, y ?? x], 1)],
    backward: ([z]) => split(z, 1, [b, c]),
  }),
  'permute, inverse': (a, b, c) => ({
    from: [[a, b, c]],
    to: [[c, a, b]],
    forward: ([x]) => [permute(x, [2, 0, 1])],
    backward: ([y]) => [permute(y, inverseOrder([2, 0, 1]))],
  }),
  'matmul W, Wᵀ': (a, b, c, seed) => ({
    from: [[a, b]],
    to: [[a, c]],
    forward: ([x]) => [matmulTransposed(x, weight(x.engine, b, c, seed), {})],
    backward: ([y]) => [matmulTransposed(y, weight(y.engine, b, c, seed), { transposeY: true })],
  }),
  'matmul from the left': (a, b, c, seed) => ({
    from: [[b, c]],
    to: [[a, c]],
    forward: ([x]) => [matmulTransposed(weight(x.engine, a, b, seed), x, {})],
    backward: ([y]) => [matmulTransposed(weight(y.engine, a, b, seed), y, { transposeX: true })],
  }),
  'mask, mask': (a, b, c, seed) => ({
    from: [[a, b, c]],
    to: [[a, b, c]],
    forward: ([x]) => [dropout(x, key(seed), 0.5)],
    backward: ([y]) => [dropout(y, key(seed), 0.5)],
  }),
  'copy, add': (a, b) => ({
    from: [[a, b]],
    to: [
      [a, b],
      [a, b],
    ],
    forward: ([x]) => [x, x],
    backward: ([y, z]) => [add(y, z ?? y)],
  }),
  'rotary, inverse': (a, b, c, seed) => ({
    from: [[a, b, 4 * c]],
    to: [[a, b, 4 * c]],
    forward: ([x]) => [rotary(x, ...angles(x.engine, b, c, seed), 2, false)],
    backward: ([y]) => [rotary(y, ...angles(y.engine, b, c, seed), 2, true)],
  }),
}

const weight = (engine: Engine, rows: number, columns: number, seed: number): Tensor =>
  tensor(
    engine,
    [rows, columns],
    Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + i)),
  )

/** Any tables: an adjoint needs no cos² + sin² = 1. */
const angles = (engine: Engine, time: number, half: number, seed: number): [Tensor, Tensor] => [
  weight(engine, time, half, seed),
  weight(engine, time, half, seed + 1),
]

const sizes = fc.tuple(positiveLength(9), positiveLength(9), positiveLength(9), fc.nat(1000))

test('D5 adjoint pairs: ⟨A x, y⟩ = ⟨x, A* y⟩, rtol 1e-12', t => {
  const engine = referenceEngine()
  for (const [name, build] of Object.entries(pairs))
    holds(
      t,
      name,
      fc.property(sizes, ([a, b, c, seed]) => adjoint(engine, build(a, b, c, seed), key(seed)).ratio <= 1),
    )
  breaks(
    t,
    'a sum whose adjoint is twice too large',
    fc.property(sizes, ([a, b, c, seed]) => {
      const map = pairs['sum, broadcast']?.(a, b, c, seed)
      if (map === undefined) return false
      const half: LinearMap = { ...map, backward: ys => map.backward(ys).map(y => add(y, y)) }
      return adjoint(engine, half, key(seed)).ratio <= 1
    }),
  )
  t.equal(engine.counter.allocated - engine.counter.freed, 0, 'S15 everything allocated was freed')
  t.end()
})

test('D6 linear kernels: A(αx + βy) = αAx + βAy', t => {
  const engine = referenceEngine()
  for (const [name, build] of Object.entries(pairs))
    holds(
      t,
      name,
      fc.property(sizes, ([a, b, c, seed]) => linearity(engine, build(a, b, c, seed), key(seed)).ratio <= 1),
    )
  breaks(
    t,
    'an affine map',
    fc.property(sizes, ([a, b, c, seed]) => {
      const shifted: LinearMap = {
        from: [[a, b]],
        to: [[a, b]],
        forward: ([x]) => [add(x, weight(x.engine, a, b, c))],
        backward: ([y]) => [y],
      }
      return linearity(engine, shifted, key(seed)).ratio <= 1
    }),
  )
  t.end()
})
