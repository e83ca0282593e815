import fc from 'fast-check'
import test from 'tape'
import type { Engine } from '../../src/engine/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { add, subtract } from '../../src/kernel/binary.ts'
import { matmulTransposed } from '../../src/kernel/matmul.ts'
import { permute } from '../../src/kernel/permute.ts'
import { concat, slice } from '../../src/kernel/slice.ts'
import { type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { type Draw, draw, type HostArray, length, numbers } from '../arbitraries/tensor.ts'
import { kernelDiscrepancy, outputsOf, type Problem } from '../laws/kernel.ts'
import { engines } from './engines.ts'
import { withSpoiledPrimitive } from './spoiled.ts'

const product = (x: Tensor, y: Tensor): Tensor => matmulTransposed(x, y, {})
const transpose = (x: Tensor): Tensor => permute(x, [1, 0])

type Difference = (a: Tensor, b: Tensor, c: Tensor) => Tensor

interface Sizes {
  readonly rows: number
  readonly inner: number
  readonly columns: number
  readonly at: number
}

/** Both sides of an equation of products as their difference: zero but for rounding, which the rounding engine bounds. */
interface Equation {
  readonly name: string
  readonly shapes: (sizes: Sizes) => readonly (readonly [number, number])[]
  readonly difference: (sizes: Sizes) => Difference
}

const equations: readonly Equation[] = [
  {
    name: '(A B)ᵀ = Bᵀ Aᵀ',
    shapes: ({ rows, inner, columns }) => [
      [rows, inner],
      [inner, columns],
      [0, 0],
    ],
    difference: () => (a, b) => subtract(transpose(product(a, b)), product(transpose(b), transpose(a))),
  },
  {
    name: 'A (B + C) = A B + A C',
    shapes: ({ rows, inner, columns }) => [
      [rows, inner],
      [inner, columns],
      [inner, columns],
    ],
    difference: () => (a, b, c) => subtract(product(a, add(b, c)), add(product(a, b), product(a, c))),
  },
  {
    name: '(A B) C = A (B C)',
    shapes: ({ rows, inner, columns }) => [
      [rows, inner],
      [inner, columns],
      [columns, rows],
    ],
    difference: () => (a, b, c) => subtract(product(product(a, b), c), product(a, product(b, c))),
  },
  {
    name: 'blocks of the inner axis add up to the whole',
    shapes: ({ rows, inner, columns }) => [
      [rows, inner],
      [inner, columns],
      [0, 0],
    ],
    difference:
      ({ inner, at }) =>
      (a, b) =>
        subtract(
          product(a, b),
          add(
            product(slice(a, 1, 0, at), slice(b, 0, 0, at)),
            product(slice(a, 1, at, inner - at), slice(b, 0, at, inner - at)),
          ),
        ),
  },
  {
    name: 'transposed operands = transposed first',
    shapes: ({ rows, inner, columns }) => [
      [inner, rows],
      [columns, inner],
      [0, 0],
    ],
    difference: () => (a, b) =>
      subtract(matmulTransposed(a, b, { transposeX: true, transposeY: true }), product(transpose(a), transpose(b))),
  },
]

const sizes: fc.Arbitrary<Sizes> = fc
  .record({
    rows: length(20),
    inner: length(40),
    columns: length(40),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ share, ...rest }) => ({ ...rest, at: Math.floor(share * rest.inner) }))

const problemOf = (equation: Equation, chosen: Sizes, from: Draw): Problem => {
  const inputs: HostArray[] = equation.shapes(chosen).map((shape, i) => numbers(from, i, shape))
  const run = (...[a, b, c]: readonly Tensor[]): Tensor[] => {
    if (a === undefined || b === undefined || c === undefined) throw new RangeError('three matrices')
    return [equation.difference(chosen)(a, b, c)]
  }
  return { label: equation.name, inputs, run, fused: [], bounded: run }
}

const holdsOn = (engine: Engine, equation: Equation) =>
  fc.asyncProperty(sizes, draw, async (chosen, from) => {
    const { ratio, at } = await kernelDiscrepancy(engine, problemOf(equation, chosen, from))
    if (ratio > 1) throw new Error(`${ratio} times the bound at ${at}`)
  })

for (const { name, make, runs } of engines)
  test(`K3 products within their rounding: ${name}`, async t => {
    const engine = make()
    for (const equation of equations) {
      const result = await fc.check(holdsOn(engine, equation), { numRuns: Math.ceil(runs / 2) })
      t.notOk(result.failed, result.failed ? `${equation.name}: ${result.errorInstance}` : equation.name)
    }
  })

/** Rows and columns in blocks: each output is one sum over the inner axis, so the bits are the same (laws L1, L4). */
const sameBits: readonly Equation[] = [
  {
    name: 'A I = A, bit for bit',
    shapes: ({ rows, inner }) => [
      [rows, inner],
      [0, 0],
      [0, 0],
    ],
    difference: () => a => subtract(product(a, identity(a)), a),
  },
  {
    name: 'rows in two blocks give the bits of the whole',
    shapes: ({ rows, inner, columns }) => [
      [rows, inner],
      [inner, columns],
      [0, 0],
    ],
    difference:
      ({ rows, at }) =>
      (a, b) => {
        const cut = Math.min(at, rows)
        const parts = concat([product(slice(a, 0, 0, cut), b), product(slice(a, 0, cut, rows - cut), b)], 0)
        return subtract(product(a, b), parts)
      },
  },
]

const identity = (beside: Tensor): Tensor => {
  const width = beside.shape[1] ?? 0
  const values = Float64Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0))
  return tensor(beside.engine, [width, width], values)
}

for (const { name, make, runs } of engines)
  test(`K3 products bit for bit: ${name}`, async t => {
    const engine = make()
    // On WebGPU few rows go by another kernel, which sums in another order.
    for (const equation of name === 'gpu webgpu' ? sameBits.slice(0, 1) : sameBits) {
      const property = fc.asyncProperty(sizes, draw, async (chosen, from) => {
        const problem = problemOf(equation, chosen, from)
        return (await outputsOf(engine, problem)).every(({ values }) => values.every(x => x === 0))
      })
      const result = await fc.check(property, { numRuns: Math.ceil(runs / 2) })
      t.notOk(result.failed, equation.name)
    }
  })

test('K3 negative control: products and transposes a thousandth off break each equation', async t => {
  for (const equation of equations) {
    const wrong = withSpoiledPrimitive(withSpoiledPrimitive(referenceEngine(), 'matmul'), 'permute')
    const result = await fc.check(holdsOn(wrong, equation), { numRuns: 60 })
    t.ok(result.failed, equation.name)
  }
})
