/** NaN with low bits set became numbers, slopes and sums of what is infinite or empty became NaN, and empty products a division by zero, on wasm alone. */
import test from 'tape'
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
import { empty, readNow, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { engines } from '../kernel/engines.ts'

const NANS = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc001ff, 0x7fc12345, 0x7fffffff, 0x7fc00100).buffer)

for (const { name, make } of engines) {
  const list = (x: Tensor): number[] => [...readNow(x)]

  test(`special numbers: ${name}`, t => {
    const engine = make()
    scope(() => {
      const nans = tensor(engine, [5, 1], NANS)
      const results = [softmax(nans), unary('tanh', nans), unary('sigmoid', nans), unary('erf', nans)]
      for (const kind of ['gelu', 'geluTanh', 'silu', 'tanh', 'sigmoid'] as const) results.push(activation(kind, nans))
      t.ok(
        results.every(y => list(y).every(Number.isNaN)),
        'NaN stays NaN, whatever its bits',
      )

      const large = tensor(engine, [8], [3e38, -3e38, 1e18, -1e18, 1e12, -1e12, 50, -50])
      for (const kind of ['gelu', 'geluTanh', 'silu'] as const)
        t.ok(
          list(activationWithSlope(kind, large).slope).every((slope, i) => Math.abs(slope - ((i + 1) % 2)) < 1e-6),
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
        t.deepEqual(
          list(maxPoolPullback(one, plane(numbers), { window: 2 })),
          numbers.map((_, i) => (i === place ? 1 : 0)),
          `the largest of ${numbers} takes the gradient`,
        )

      for (const value of [Infinity, -Infinity, Number.NaN]) {
        const weight = quantizedMatrix(engine, quantizeMatrix(new Float32Array(64 * 3).fill(0.5), [64, 3], 0, 'w'))
        const x = tensor(engine, [1, 64], new Float32Array(64).fill(1).fill(value, 40, 41))
        t.ok(list(linear(x, weight, null, false)).every(Number.isNaN), `q8_0 and an activation of ${value}`)
      }
    })
    t.end()
  })

  test(`empty sizes: ${name}`, t => {
    const engine = make()
    scope(() => {
      for (const pack of [quantizeMatrix, halveMatrix]) {
        const weight = quantizedMatrix(engine, pack(new Float32Array(0), [0, 3], 0, 'w'))
        const y = linear(tensor(engine, [5, 0], []), weight, tensor(engine, [3], [1, 2, 3]), false)
        t.deepEqual(
          list(y),
          Array.from({ length: 15 }, (_, i) => (i % 3) + 1),
          'a product of nothing is its bias',
        )
      }
      const weight = tensor(engine, [1, 1, 1, 1], [2])
      const dy = tensor(engine, [1, 1, 2, 5], new Float32Array(10))
      t.deepEqual(list(convolutionInputGradient(dy, weight, [0, 3], { padding: 1 })), [])

      const [x, parameter] = [empty(engine, [1, 4, 0, 2]), tensor(engine, [4], [1, 2, 3, 4])]
      const { dWeight, dBias } = groupNormPullback(x, x, 2, parameter, groupNorm(x, 2, parameter, parameter, 1e-5))
      t.deepEqual(
        [dWeight, dBias].map(d => d && list(d)),
        [new Array(4).fill(0), new Array(4).fill(0)],
      )
    })
    t.end()
  })
}
