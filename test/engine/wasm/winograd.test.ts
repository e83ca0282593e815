/** Convolutions by tiles: the derivation that bounds them (K1) is the convolution, and an image's bits are its own. */
import test from 'tape'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { convolution, convolutionInputGradient, convolutionWeightGradient } from '../../../src/kernel/convolution.ts'
import { slice } from '../../../src/kernel/slice.ts'
import { key, normal } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, sizeOf, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { distance } from '../../golden/torchVectors.ts'
import { winogradConvolution, winogradInputGradient, winogradWeightGradient } from '../../kernel/winograd.ts'

const values = (shape: readonly number[], seed: number) => ({
  shape,
  values: Float32Array.from(normal(key(seed), sizeOf(shape))),
})
const x = values([3, 40, 9, 14], 1)
const weight = values([32, 20, 3, 3], 2)
const bias = values([32], 3)
const dy = values([3, 32, 9, 12], 4)
const options = { groups: 2, padding: [1, 0] } as const

const outputs = (engine: Engine, run: (at: readonly Tensor[]) => readonly Tensor[]) =>
  scope(() => run([x, weight, bias, dy].map(a => tensor(engine, a.shape, a.values))).map(y => Array.from(readNow(y))))

type Runs = (at: readonly Tensor[]) => readonly Tensor[]
const take = (at: readonly Tensor[], index: number): Tensor => {
  const found = at[index]
  if (found === undefined) throw new RangeError(`no tensor ${index}`)
  return found
}
const convolved: Runs = at => [
  convolution(take(at, 0), take(at, 1), take(at, 2), options),
  convolutionInputGradient(take(at, 3), take(at, 1), [9, 14], options),
  convolutionWeightGradient(take(at, 3), take(at, 0), [3, 3], options),
]
const derived: Runs = at => [
  winogradConvolution(take(at, 0), take(at, 1), take(at, 2), options),
  winogradInputGradient(take(at, 3), take(at, 1), options),
  winogradWeightGradient(take(at, 3), take(at, 0), options),
]

test('tiles: the derivation gives the values of the convolution', t => {
  const [expected, found] = [outputs(referenceEngine(), convolved), outputs(referenceEngine(), derived)]
  expected.forEach((y, i) => {
    t.ok(distance(found[i] ?? [], y) < 1e-14, `result ${i}`)
  })
  t.ok(distance(found[1]?.toReversed() ?? [], expected[1] ?? []) > 0.1, 'negative control: pixels in another order')
  t.end()
})

test('tiles: an image alone is bit for bit what it is in its batch', t => {
  const engine = wasmEngine()
  const whole = outputs(engine, convolved)
  for (const image of [0, 1, 2]) {
    const alone = outputs(engine, at => convolved(at.map((a, i) => (i % 3 === 0 ? slice(a, 0, image, 1) : a))))
    alone.slice(0, 2).forEach((y, i) => {
      const size = y.length
      t.deepEqual(y, whole[i]?.slice(image * size, (image + 1) * size), `image ${image}, result ${i}`)
    })
  }
  t.end()
})
