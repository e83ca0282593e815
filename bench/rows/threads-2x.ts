/** Two threads beside one: matmul 512 and a training step of nanoGPT's CPU configuration, the same bits from both. The value is the lesser gain. */
import { gigaflops, matmulOf, squareOf, timesOf } from '../matmul.ts'
import { alternate, checkEqual, median, type Pairs } from '../measure.ts'
import { benchEngine, gptTrainer } from '../ours.ts'
import { figure } from '../results.ts'
import type { Row } from '../row.ts'
import { trainingBatches } from '../trainingRow.ts'
import { gptWeights, nanogptCpu } from '../weights.ts'

const N = 512
/** Of one measurement: the first ones after a rest are slower. */
const STEPS = 20
const RATE = 1e-3

export const row: Row = {
  name: 'threads-2x',
  title: 'two threads over one: matmul 512 or a training step (4 layers x 128, block 64, batch 12), the lesser gain',
  unit: 'times',
  target: 'value >= 1.8',
  peer: 'one thread, fluxion itself',
  run: async tools => {
    const [one, two] = [benchEngine(1), benchEngine(2)]
    const [x, y] = [squareOf(N, 1), squareOf(N, 2)]
    const [alone, together] = [matmulOf(one, N, x, y), matmulOf(two, N, x, y)]
    checkEqual('matmul', together.once(), alone.once(), 0)
    const times = timesOf(N)
    const products = await alternate(
      tools.pairs,
      () => gigaflops(N, together.milliseconds(times)),
      () => gigaflops(N, alone.milliseconds(times)),
    )
    const whole = await alternate(
      tools.pairs,
      () => gigaflops(N, together.readBack(times)),
      () => gigaflops(N, alone.readBack(times)),
    )
    for (const matmul of [alone, together]) matmul.release()
    const weights = gptWeights(nanogptCpu)
    const batches = trainingBatches(nanogptCpu, { steps: STEPS, batch: 12 })
    const [slow, fast] = [one, two].map(engine => gptTrainer(nanogptCpu, weights, RATE, engine))
    if (slow === undefined || fast === undefined) throw new Error('two trainers')
    const losses = (await fast.train(batches.x, batches.y)).losses
    checkEqual('losses', losses, (await slow.train(batches.x, batches.y)).losses, 0)
    const training = await alternate(
      tools.pairs,
      async () => (await fast.train(batches.x, batches.y)).milliseconds / STEPS,
      async () => (await slow.train(batches.x, batches.y)).milliseconds / STEPS,
    )
    for (const trainer of [slow, fast]) trainer.close()
    for (const engine of [one, two]) engine.close()
    const gain = ({ ours, theirs }: Pairs) => median(ours.map((value, i) => value / (theirs[i] ?? Number.NaN)))
    const product = gain(products)
    const step = 1 / gain(training)
    return {
      value: Math.min(product, step),
      peerValue: 1,
      ratio: Math.min(product, step),
      threads: 2,
      runs: tools.pairs,
      note: [
        two.backend,
        `matmul ${figure(median(products.ours))} against ${figure(median(products.theirs))} GFLOP/s, ${product.toFixed(2)} times (${gain(whole).toFixed(2)} with each product read back, one thread's work)`,
        `training step ${figure(median(training.ours))} against ${figure(median(training.theirs))} ms, ${step.toFixed(2)} times`,
        'the same bits',
      ].join('; '),
      details: {
        matmul: product,
        training: step,
        'matmul, two threads': products.ours,
        'matmul, one': products.theirs,
        'training, two threads': training.ours,
        'training, one': training.theirs,
      },
    }
  },
}
