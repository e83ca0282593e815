/** Convolutions by tiles: the derivation that bounds them (K1) is the convolution, and an image's bits are its own. */
import test from 'tape'
import type { Engine } from '../../../src/engine/engine.ts'
import { referenceEngine } from '../../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import {
  type ConvolutionOptions,
  convolution,
  convolutionInputGradient,
  convolutionWeightGradient,
} from '../../../src/kernel/convolution.ts'
import { zeros } from '../../../src/kernel/fill.ts'
import { slice } from '../../../src/kernel/slice.ts'
import { key, normal } from '../../../src/random.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, sizeOf, type Tensor, tensor } from '../../../src/tensor/tensor.ts'
import { distance } from '../../golden/torchVectors.ts'
import { halvedConvolution, halvedInputGradient, halvedWeightGradient } from '../../kernel/halvedWinograd.ts'
import { winogradConvolution, winogradInputGradient, winogradWeightGradient } from '../../kernel/winograd.ts'

const values = (shape: readonly number[], seed: number) => ({
  shape,
  values: Float32Array.from(normal(key(seed), sizeOf(shape))),
})
const of = (x: readonly number[], weight: readonly number[], dy: readonly number[]) => [
  values(x, 1),
  values(weight, 2),
  values([weight[0] ?? 0], 3),
  values(dy, 4),
]

type Runs = (at: readonly Tensor[]) => readonly Tensor[]
const take = (at: readonly Tensor[], index: number): Tensor => {
  const found = at[index]
  if (found === undefined) throw new RangeError(`no tensor ${index}`)
  return found
}
const convolved =
  (plane: readonly [number, number], options: ConvolutionOptions): Runs =>
  at => [
    convolution(take(at, 0), take(at, 1), take(at, 2), options),
    convolutionInputGradient(take(at, 3), take(at, 1), plane, options),
    convolutionWeightGradient(take(at, 3), take(at, 0), [3, 3], options),
  ]
const plain = { groups: 2, padding: [1, 0] } as const

const cases: readonly { name: string; given: ReturnType<typeof of>; run: Runs; derived: Runs }[] = [
  {
    name: 'stride 1',
    given: of([3, 40, 9, 14], [32, 20, 3, 3], [3, 32, 9, 12]),
    run: convolved([9, 14], plain),
    derived: at => [
      winogradConvolution(take(at, 0), take(at, 1), take(at, 2), plain),
      winogradInputGradient(take(at, 3), take(at, 1), plain),
      winogradWeightGradient(take(at, 3), take(at, 0), plain),
    ],
  },
  {
    name: 'stride 1, last tiles of 3 and 2',
    given: of([5, 32, 7, 8], [32, 16, 3, 3], [5, 32, 7, 6]),
    run: convolved([7, 8], plain),
    derived: at => [
      winogradConvolution(take(at, 0), take(at, 1), take(at, 2), plain),
      winogradInputGradient(take(at, 3), take(at, 1), plain),
      winogradWeightGradient(take(at, 3), take(at, 0), plain),
    ],
  },
  {
    name: 'stride 2',
    given: of([3, 48, 16, 31], [40, 24, 3, 3], [3, 40, 8, 16]),
    run: convolved([16, 31], { groups: 2, padding: 1, stride: 2 }),
    derived: at => [
      halvedConvolution(take(at, 0), take(at, 1), take(at, 2), 2),
      halvedInputGradient(take(at, 3), take(at, 1), [16, 31], 2),
      halvedWeightGradient(take(at, 3), take(at, 0), 2),
    ],
  },
]

const outputs = (engine: Engine, given: ReturnType<typeof of>, run: Runs) =>
  scope(() => run(given.map(a => tensor(engine, a.shape, a.values))).map(y => Array.from(readNow(y))))

for (const { name, given, run, derived } of cases) {
  test(`tiles, ${name}: the derivation gives the values of the convolution`, t => {
    const [expected, found] = [outputs(referenceEngine(), given, run), outputs(referenceEngine(), given, derived)]
    expected.forEach((y, i) => {
      t.ok(distance(found[i] ?? [], y) < 1e-14, `result ${i}`)
    })
    t.ok(distance(found[1]?.toReversed() ?? [], expected[1] ?? []) > 0.1, 'negative control: pixels in another order')
    t.end()
  })

  test(`tiles, ${name}: an image alone is bit for bit what it is in its batch`, t => {
    const engine = wasmEngine()
    const whole = outputs(engine, given, run)
    for (const image of [0, 1, 2]) {
      const alone = outputs(engine, given, at => run(at.map((a, i) => (i % 3 === 0 ? slice(a, 0, image, 1) : a))))
      alone.slice(0, 2).forEach((y, i) => {
        const size = y.length
        t.deepEqual(y, whole[i]?.slice(image * size, (image + 1) * size), `image ${image}, result ${i}`)
      })
    }
    t.end()
  })
}

test('convolutions without input channels have an empty gradient of the weight', t => {
  const engine = wasmEngine()
  for (const stride of [1, 2]) {
    const x = tensor(engine, [1, 0, 4, 4], [])
    const dy = zeros(engine, [1, 4, 4 / stride, 4 / stride])
    const gradient = convolutionWeightGradient(dy, x, [3, 3], { padding: 1, stride })
    t.deepEqual([gradient.shape, readNow(gradient).length], [[4, 0, 3, 3], 0], `stride ${stride}`)
  }
  t.end()
})
