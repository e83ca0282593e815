/** Convolutions of U-Nets, forward or both gradients, on two threads, beside PyTorch and tfjs-wasm at their best. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wasmEngine } from '../src/engine/wasm/engine.ts'
import { convolution, convolutionInputGradient, convolutionWeightGradient } from '../src/kernel/convolution.ts'
import { key } from '../src/random/key.ts'
import { uniform } from '../src/random/uniform.ts'
import { scope } from '../src/tensor/scope.ts'
import { readNow, sizeOf, type Tensor, tensor } from '../src/tensor/tensor.ts'
import { alternate, checkEqual, median, milliseconds } from './measure.ts'
import { THREADS } from './ours.ts'
import { numberIn, numbersIn, type Peer } from './peer.ts'
import { figure } from './results.ts'
import { roofline } from './roofline.ts'
import { higherIsBetter, orReason, type Row } from './row.ts'

interface Shape {
  readonly batch: number
  readonly inputs: number
  readonly outputs: number
  /** Height and width before. */
  readonly size: number
  readonly kernel: number
  readonly stride: number
}

/** The bundled U-Net over digits, then the levels of one over CIFAR-10: windows of 3 x 3, halving, and the projection of a joined skip. */
const shapes: readonly Shape[] = [
  { batch: 32, inputs: 32, outputs: 32, size: 14, kernel: 3, stride: 1 },
  { batch: 32, inputs: 32, outputs: 32, size: 14, kernel: 3, stride: 2 },
  { batch: 32, inputs: 64, outputs: 64, size: 7, kernel: 3, stride: 1 },
  { batch: 32, inputs: 128, outputs: 64, size: 7, kernel: 1, stride: 1 },
  { batch: 8, inputs: 128, outputs: 128, size: 32, kernel: 3, stride: 1 },
  { batch: 8, inputs: 128, outputs: 128, size: 32, kernel: 3, stride: 2 },
  { batch: 8, inputs: 256, outputs: 256, size: 16, kernel: 3, stride: 1 },
  { batch: 8, inputs: 256, outputs: 128, size: 16, kernel: 1, stride: 1 },
]
/** Milliseconds of one measurement. */
const ENOUGH = 60
/** Numbers of a result that are compared. */
const CHECKED = 1000

type Pass = 'forward' | 'backward'

/** Of tfjs-wasm the first alone is measured: it has no gradient of a weight. */
const worksOf = (pass: Pass, { kernel, size, stride }: Shape) => {
  const around = { padding: (kernel - 1) / 2, stride }
  return pass === 'forward'
    ? [(x: Tensor, weight: Tensor) => convolution(x, weight, null, around)]
    : [
        (_: Tensor, weight: Tensor, dy: Tensor) => convolutionInputGradient(dy, weight, [size, size], around),
        (x: Tensor, _: Tensor, dy: Tensor) => convolutionWeightGradient(dy, x, [kernel, kernel], around),
      ]
}

export const convolutionRow = (pass: Pass): Row => ({
  name: `conv-${pass}`,
  title: pass === 'forward' ? 'convolutions of U-Nets' : 'convolutions of U-Nets, both gradients',
  unit: 'GFLOP/s',
  target: 'ratio >= 0.7',
  peer: 'PyTorch',
  run: async tools => {
    const engine = wasmEngine({ threads: THREADS })
    engine.warm()
    const torch = await orReason(tools.python('convolution.py'))
    const tfjs = await orReason(tools.node('convolution.mjs'))
    const total = { ours: 0, torch: 0, oursBesideTfjs: 0, tfjs: 0, operations: 0 }
    const details: Record<string, string> = {}
    for (const shape of shapes) {
      const { batch, inputs, outputs, size, kernel, stride } = shape
      const outSize = size / stride
      const made = [
        [batch, inputs, size, size],
        [outputs, inputs, kernel, kernel],
        [batch, outputs, outSize, outSize],
      ].map((s, i) => {
        const file = join(tools.cache, `convolution-${i}.f32`)
        const values = Float32Array.from(uniform(key(i), sizeOf(s)), u => 2 * u - 1)
        writeFileSync(file, values)
        return { file, tensor: tensor(engine, s, values) }
      })
      const [x, weight, dy] = made.map(one => one.tensor)
      if (x === undefined || weight === undefined || dy === undefined) throw new Error('three operands')
      const works = worksOf(pass, shape)
      const run = (count: number): void => {
        for (const work of works.slice(0, count)) scope(() => void work(x, weight, dy))
      }
      const expected = works.map(work => scope(() => readNow(work(x, weight, dy)).slice(0, CHECKED)))
      const repeats = Math.ceil(ENOUGH / (await milliseconds(() => run(works.length))))
      const ours = (count: number) => async () =>
        (await milliseconds(() => {
          for (let i = 0; i < repeats; i++) run(count)
        })) / repeats
      /** Our time and the peer's of the first `count` works, and the peer's threads. */
      const beside = async (peer: Peer | string, count: number) => {
        if (typeof peer === 'string') return { ours: median((await alternate(tools.pairs, ours(count), null)).ours) }
        const files = made.map(one => one.file)
        const first = await peer.ask({ do: 'load', files, ...shape, pass, threads: THREADS, checked: CHECKED })
        for (let i = 0; i < count; i++)
          checkEqual(`${peer.version}, result ${i}`, expected[i] ?? [], numbersIn(first, `result${i}`), 1e-3)
        const theirs = async () => numberIn(await peer.ask({ do: 'time', repeats }), 'milliseconds') / repeats
        const pairs = await alternate(tools.pairs, ours(count), theirs)
        return { ours: median(pairs.ours), theirs: median(pairs.theirs), threads: numberIn(first, 'threads') }
      }
      const torchSide = await beside(torch, works.length)
      const tfjsSide = await beside(tfjs, 1)
      const operations = works.length * 2 * batch * inputs * outputs * (outSize * kernel) ** 2
      total.ours += torchSide.ours
      total.torch += torchSide.theirs ?? 0
      total.oursBesideTfjs += tfjsSide.ours
      total.tfjs += tfjsSide.theirs ?? 0
      total.operations += operations
      const line = [
        `${figure(torchSide.ours)} ms, ${figure(operations / torchSide.ours / 1e6)} GFLOP/s`,
        torchSide.theirs === undefined
          ? 'no PyTorch'
          : `PyTorch on ${torchSide.threads} of ${THREADS} threads ${figure(torchSide.theirs)} ms, ${figure(operations / torchSide.theirs / 1e6)} GFLOP/s`,
        tfjsSide.theirs === undefined
          ? 'no tfjs-wasm'
          : `tfjs-wasm ${figure(tfjsSide.theirs)} ms beside ${figure(tfjsSide.ours)} ms`,
      ].join('; ')
      const name = `${batch} x ${inputs} to ${outputs}, ${size} x ${size}, window ${kernel}${stride > 1 ? `, stride ${stride}` : ''}`
      details[name] = line
      tools.say(`${name}: ${line}`)
      for (const one of made) one.tensor.release()
    }
    engine.close()
    const { multiplyAdd, fused } = await roofline()
    const value = total.operations / total.ours / 1e6
    const peerValue = typeof torch === 'string' ? null : total.operations / total.torch / 1e6
    const timesTfjs = (total.tfjs / total.oursBesideTfjs).toFixed(2)
    return {
      value,
      peerValue,
      ratio: higherIsBetter(value, peerValue),
      threads: THREADS,
      runs: tools.pairs,
      note: [
        engine.backend,
        typeof torch === 'string' ? torch : `${torch.version}, on one or two threads, whichever is faster`,
        typeof tfjs === 'string'
          ? tfjs
          : `${tfjs.version}, which starts no threads in Node: ours is ${timesTfjs} times as fast${pass === 'forward' ? '' : ' at the gradient of the input; it has no kernel for that of the weight'}`,
        `ceiling of a thread with four numbers a vector ${figure(Math.max(multiplyAdd, fused ?? 0))} GFLOP/s, PyTorch has sixteen; windows of 3 x 3 go by tiles, with a quarter of the products at a stride of 1 and 9/16 at 2, but those of 1 x 1 do not`,
      ].join('; '),
      details,
    }
  },
})
