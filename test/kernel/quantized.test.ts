/** Laws of weights in fewer bits: K4, K5, and the bits of products (L1, and those of f32 weights of the same values). */
import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { InputError, ShapeError } from '../../src/errors.ts'
import { type HostMatrix, stridesOf, widened } from '../../src/format/quantized/hostMatrix.ts'
import { halveMatrix, quantizeMatrix } from '../../src/format/quantized/quantizeMatrix.ts'
import { gather } from '../../src/kernel/gather.ts'
import { linear } from '../../src/kernel/linear.ts'
import { key, normal } from '../../src/random.ts'
import { quantizedMatrix } from '../../src/tensor/quantizedMatrix.ts'
import { scope } from '../../src/tensor/scope.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { K4, K5 } from '../laws/quantized.ts'
import { breaks, holds } from '../property.ts'

/** Weights of very different sizes side by side: from below the smallest binary16 up to the largest that 8 bits hold. */
const weights = (count: number): fc.Arbitrary<Float32Array> =>
  fc
    .array(fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.constantFrom(2 ** -30, 2 ** -22, 0.02, 1, 8e6)), {
      minLength: count,
      maxLength: count,
    })
    .map(pairs => Float32Array.from(pairs, ([x, size]) => x * size))

const matrixShape = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70 }))

const someMatrix = matrixShape.chain(([outputs, inputs]) =>
  fc.record({ values: weights(outputs * inputs), innerFirst: fc.boolean(), outputs: fc.constant(outputs) }),
)

const quantizedOf = ({
  values,
  innerFirst,
  outputs,
}: {
  values: Float32Array
  innerFirst: boolean
  outputs: number
}) => {
  const inputs = values.length / outputs
  return quantizeMatrix(values, innerFirst ? [inputs, outputs] : [outputs, inputs], innerFirst ? 0 : 1, 'weights')
}

test(`${K4.id} ${K4.name}`, t => {
  holds(
    t,
    'weights of any size, blocks along either axis',
    fc.property(someMatrix, drawn => K4.holds(drawn.values, quantizedOf(drawn))),
  )
  breaks(
    t,
    'rounding down moves a weight further',
    fc.property(someMatrix, drawn => {
      const matrix = quantizedOf(drawn)
      if (matrix.type !== 'q8_0') return true
      const back = widened({ ...matrix, values: new Int8Array(matrix.values.length).fill(1) })
      const down = Int8Array.from(drawn.values, (w, i) => Math.floor(w / (back[i] || 1)))
      return K4.holds(drawn.values, { ...matrix, values: down })
    }),
  )
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1e7])
    t.throws(() => quantizeMatrix(Float32Array.of(0, wrong), [1, 2], 1, 'w'), InputError, `${wrong} is refused`)
  t.throws(() => halveMatrix(Float32Array.of(1e5), [1, 1], 1, 'w'), InputError, 'what binary16 cannot hold is refused')
  t.end()
})

const numbers = (size: number, seed: number): Float32Array => Float32Array.from(normal(key(seed), size))

/** x (rows, inputs) times a matrix, on an engine. */
const product = (engine: Engine, x: Float32Array, matrix: HostMatrix): Float32Array =>
  scope(() => {
    const { inner, columns } = stridesOf(matrix)
    const weight = quantizedMatrix(engine, matrix)
    const y = linear(tensor(engine, [x.length / inner, inner], x), weight, null, matrix.innerAxis === 1)
    if (y.shape[1] !== columns) throw new RangeError('not a product')
    return Float32Array.from(readNow(y))
  })

const engines: readonly (() => Engine)[] = [
  referenceEngine,
  wasmEngine,
  () => wasmEngine({ relaxed: false }),
  () => wasmEngine({ threads: 2, splitFrom: 0 }),
]

const sizes = fc.record({
  inputs: fc.integer({ min: 1, max: 200 }),
  outputs: fc.integer({ min: 1, max: 40 }),
  seed: fc.nat(),
})

test(`${K5.id} ${K5.name}`, t => {
  const heldBy = (engine: Engine, spoil: number) =>
    fc.property(sizes, ({ inputs, outputs, seed }) => {
      const x = numbers(inputs, seed)
      const values = numbers(inputs * outputs, seed + 1)
      const matrix = quantizeMatrix(values, [outputs, inputs], 1, 'weights')
      const found = product(engine, x, matrix)
      return K5.holds({ x, weights: values, matrix, found: found.map(y => y + spoil) })
    })
  for (const make of engines) {
    const engine = make()
    holds(t, `${engine.name} ${engine.backend}`, heldBy(engine, 0))
    breaks(t, `${engine.name}: a constant too much`, heldBy(engine, 5))
  }
  t.end()
})

test('L1 products with weights in fewer bits: a row has the bits it has alone, whatever the batch', t => {
  const engine = wasmEngine({ threads: 2, splitFrom: 0 })
  const alike = (make: typeof quantizeMatrix, moved: number) =>
    fc.property(sizes, fc.integer({ min: 2, max: 9 }), ({ inputs, outputs, seed }, rows) => {
      const matrix = make(numbers(inputs * outputs, seed + 1), [outputs, inputs], 1, 'weights')
      const x = numbers(rows * inputs, seed)
      const together = product(engine, x, matrix)
      return Array.from({ length: rows }, (_, i) => i).every(i => {
        const alone = product(engine, x.subarray(i * inputs, (i + 1) * inputs), matrix)
        return alone.every((y, j) => Object.is(y, (together[i * outputs + j] ?? 0) + moved))
      })
    })
  holds(t, 'q8_0', alike(quantizeMatrix, 0))
  holds(t, 'f16', alike(halveMatrix, 0))
  breaks(t, 'other numbers are other bits', alike(quantizeMatrix, 1))
  t.end()
})

test('products and lookups with f16 weights have the bits that f32 weights of the same values have', t => {
  for (const engine of [wasmEngine(), wasmEngine({ relaxed: false })]) {
    const alike = (change: (w: number) => number) =>
      fc.property(sizes, fc.integer({ min: 1, max: 6 }), fc.boolean(), ({ inputs, outputs, seed }, rows, torch) => {
        const shape: readonly [number, number] = torch ? [outputs, inputs] : [inputs, outputs]
        // Some of them subnormal.
        const values = numbers(inputs * outputs, seed + 1).map(w => w * 1e-4)
        const matrix = halveMatrix(values, shape, torch ? 1 : 0, 'weights')
        const x = numbers(rows * inputs, seed)
        return scope(() => {
          const wide = tensor(engine, shape, widened(matrix).map(change))
          const expected = readNow(linear(tensor(engine, [rows, inputs], x), wide, null, torch))
          const same = product(engine, x, matrix).every((y, i) => Object.is(y, expected[i]))
          if (!torch) return same
          const ids = tokens([outputs - 1, 0])
          const rowsOf = readNow(gather(wide, ids))
          return same && readNow(gather(quantizedMatrix(engine, matrix), ids)).every((y, i) => Object.is(y, rowsOf[i]))
        })
      })
    holds(
      t,
      engine.backend,
      alike(w => w),
    )
    breaks(
      t,
      `${engine.backend}: a weight of other bits`,
      alike(w => Math.fround(w * 1.001)),
    )
  }
  t.end()
})

test('K2 matrices in fewer bits of the wrong shape are refused', t => {
  const engine = wasmEngine()
  scope(() => {
    const matrix = quantizedMatrix(engine, quantizeMatrix(numbers(6, 1), [2, 3], 1, 'weights'))
    const across = quantizedMatrix(engine, quantizeMatrix(numbers(6, 1), [2, 3], 0, 'weights'))
    const x = tensor(engine, [1, 3], [1, 2, 3])
    const { launches } = engine.counter
    t.throws(() => linear(x, matrix, null, false), ShapeError, 'blocks along the outputs')
    t.throws(() => linear(x, across, null, false), ShapeError, 'rows of another length')
    t.throws(() => linear(x, matrix, tensor(engine, [3], [1, 2, 3]), true), ShapeError, 'a bias of another length')
    t.throws(() => gather(across, tokens([0])), ShapeError, 'a lookup across blocks')
    t.throws(() => gather(matrix, tokens([2])), InputError, 'an id past the end')
    t.equal(engine.counter.launches, launches, 'nothing was launched')
  })
  t.end()
})
