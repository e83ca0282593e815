/** Infinities and NaN where they do not count: the reference engine, the others' oracle, multiplied them by 0 (NaN) or gave their gradient to what lies around a plane. */
import test from 'tape'
import { crossEntropy, crossEntropyPullback, crossEntropySizes } from '../../src/kernel/crossEntropy.ts'
import { maxPoolPullback } from '../../src/kernel/pool.ts'
import { scope } from '../../src/tensor/scope.ts'
import { read, type Tensor, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { engines } from '../kernel/engines.ts'

const close = (found: ArrayLike<number>, expected: readonly number[]): boolean =>
  found.length === expected.length && expected.every((value, i) => Math.abs((found[i] ?? Number.NaN) - value) < 1e-6)

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

for (const { name, make } of engines)
  test(`infinities and NaN that do not count: ${name}`, async t => {
    const engine = make()
    const pending: Promise<void>[] = []
    // Reads within the scope, compares when the numbers are there.
    const expect = (x: Tensor, expected: readonly number[], message: string): void => {
      pending.push(Promise.resolve(read(x)).then(found => t.ok(close(found, expected), message)))
    }
    scope(() => {
      const masked = tensor(engine, [2, 3], [1, 2, -Infinity, -Infinity, 0, 0])
      const sizes = crossEntropySizes(masked, tokens([0, 2]), {})
      const { losses, logSumExp } = crossEntropy(masked, sizes)
      expect(losses, [Math.log1p(Math.E), Math.log(2)], 'losses beside a logit of -infinity')
      const d = crossEntropyPullback(tensor(engine, [2], [1, 1]), masked, logSumExp, sizes)
      expect(d, [-sigmoid(1), sigmoid(1), 0, 0, 0.5, -0.5], 'their gradients')

      const spoiled = tensor(engine, [2, 2], [Number.NaN, 2, 1, 2])
      for (const labelSmoothing of [0, 0.5]) {
        const ignoring = crossEntropySizes(spoiled, tokens([-100, 1]), { labelSmoothing })
        const forward = crossEntropy(spoiled, ignoring)
        expect(forward.losses, [0, Math.log1p(Math.exp(-1)) + labelSmoothing / 2], 'an ignored row of NaN')
        const back = crossEntropyPullback(tensor(engine, [2], [1, 1]), spoiled, forward.logSumExp, ignoring)
        const error = sigmoid(-1) - labelSmoothing / 2
        expect(back, [0, 0, error, -error], 'and its gradient')
      }

      const plane = tensor(engine, [1, 1, 2, 2], new Array<number>(4).fill(-Infinity))
      const dy = tensor(engine, [1, 1, 2, 2], [1, 2, 3, 4])
      const dx = maxPoolPullback(dy, plane, { window: 2, padding: 1, stride: 2 })
      expect(dx, [1, 2, 3, 4], 'the largest of windows of -infinity lies in the plane')
    })
    await Promise.all(pending)
    t.end()
  })
