/** NaN with low bits set became numbers, slopes and sums of what is infinite or empty became NaN, and empty products a division by zero, on wasm alone. */
import test, { type Test } from 'tape'
import { halveMatrix, quantizeMatrix } from '../../src/format/quantized/quantizeMatrix.ts'
import { activation, activationWithSlope } from '../../src/kernel/activation.ts'
import { convolutionInputGradient } from '../../src/kernel/convolution.ts'
import { groupNorm, groupNormPullback } from '../../src/kernel/groupNorm.ts'
import { linear } from '../../src/kernel/linear.ts'
import { maxPoolPullback } from '../../src/kernel/pool.ts'
import { softmax } from '../../src/kernel/softmax.ts'
import { unary } from '../../src/kernel/unary.ts'
import { quantizedMatrix } from '../../src/tensor/quantizedMatrix.ts'
import { scope } from '../../src/tensor/scope.ts'
import { empty, read, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { engines } from '../kernel/engines.ts'

const NANS = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc001ff, 0x7fc12345, 0x7fffffff, 0x7fc00100).buffer)

type Expected = readonly number[] | ((x: number, index: number) => boolean)

/** Reads within the scope, compares when the numbers are there. */
const checks = (t: Test) => {
  const pending: Promise<void>[] = []
  return {
    expect: (x: Tensor, expected: Expected, message: string): void => {
      const compare = (numbers: readonly number[]): void =>
        typeof expected === 'function'
          ? t.ok(numbers.length > 0 && numbers.every(expected), message)
          : t.deepEqual(numbers, expected, message)
      pending.push(Promise.resolve(read(x)).then(numbers => compare([...numbers])))
    },
    settled: () => Promise.all(pending),
  }
}

for (const { name, make } of engines) {
  test(`special numbers: ${name}`, async t => {
    const engine = make()
    const { expect, settled } = checks(t)
    scope(() => {
      const nans = tensor(engine, [5, 1], NANS)
      const stays = (y: Tensor, by: string) => expect(y, Number.isNaN, `${by}: NaN stays NaN, whatever its bits`)
      stays(softmax(nans), 'softmax')
      for (const op of ['tanh', 'sigmoid', 'erf'] as const) stays(unary(op, nans), op)
      for (const kind of ['gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid'] as const) stays(activation(kind, nans), kind)

      const large = tensor(engine, [8], [3e38, -3e38, 1e18, -1e18, 1e12, -1e12, 50, -50])
      for (const kind of ['gelu', 'geluTanh', 'silu'] as const)
        expect(
          activationWithSlope(kind, large).slope,
          (slope, i) => Math.abs(slope - ((i + 1) % 2)) < 1e-6,
          `slopes of ${kind} far out`,
        )

      const plane = (numbers: readonly number[]) => tensor(engine, [1, 1, 2, 2], numbers)
      const one = tensor(engine, [1, 1, 1, 1], [1])
      for (const [numbers, place] of [
        [[Number.NaN, Number.NaN, Number.NaN, Number.NaN], 0],
        [[1, Number.NaN, 3, Number.NaN], 1],
        [[1, Infinity, Infinity, 2], 1],
        [[-Infinity, -Infinity, -Infinity, -Infinity], 0],
      ] as const)
        expect(
          maxPoolPullback(one, plane(numbers), { window: 2 }),
          numbers.map((_, i) => (i === place ? 1 : 0)),
          `the largest of ${numbers} takes the gradient`,
        )

      for (const value of [Infinity, -Infinity, Number.NaN]) {
        const weight = quantizedMatrix(engine, quantizeMatrix(new Float32Array(64 * 3).fill(0.5), [64, 3], 0, 'w'))
        const x = tensor(engine, [1, 64], new Float32Array(64).fill(1).fill(value, 40, 41))
        expect(linear(x, weight, null, false), Number.isNaN, `q8_0 and an activation of ${value}`)
      }
    })
    await settled()
    t.end()
  })

  test(`empty sizes: ${name}`, async t => {
    const engine = make()
    const { expect, settled } = checks(t)
    scope(() => {
      for (const pack of [quantizeMatrix, halveMatrix]) {
        const weight = quantizedMatrix(engine, pack(new Float32Array(0), [0, 3], 0, 'w'))
        const y = linear(tensor(engine, [5, 0], []), weight, tensor(engine, [3], [1, 2, 3]), false)
        expect(
          y,
          Array.from({ length: 15 }, (_, i) => (i % 3) + 1),
          'a product of nothing is its bias',
        )
      }
      const weight = tensor(engine, [1, 1, 1, 1], [2])
      const dy = tensor(engine, [1, 1, 2, 5], new Float32Array(10))
      expect(convolutionInputGradient(dy, weight, [0, 3], { padding: 1 }), [], 'the gradient of a picture without rows')

      const [x, parameter] = [empty(engine, [1, 4, 0, 2]), tensor(engine, [4], [1, 2, 3, 4])]
      const { dWeight, dBias } = groupNormPullback(x, x, 2, parameter, groupNorm(x, 2, parameter, parameter, 1e-5))
      for (const d of [dWeight, dBias])
        if (d === null) t.fail('a gradient of the norm')
        else expect(d, [0, 0, 0, 0], 'norms of nothing')
    })
    await settled()
    t.end()
  })
}
