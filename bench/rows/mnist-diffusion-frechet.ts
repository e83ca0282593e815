/** How far the bundled model's digits are, as a distribution, from real ones that it never saw: Fréchet distance in the classifier's features. */
import { dirname } from 'node:path'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { judge, readDigits } from '../digitJudge.ts'
import { digitSamples, judgeOf } from '../digitSamples.ts'
import { frechet } from '../frechet.ts'
import { lowerIsBetter, type Row } from '../row.ts'

const COUNT = 2000
const STEPS = 30
const FEATURES = 64
const PIXELS = 28 * 28

export const row: Row = {
  name: 'mnist-diffusion-frechet',
  title: 'Fréchet distance of digits of the bundled diffusion model from the real test digits',
  unit: 'squared feature units',
  target: 'value <= 20',
  peer: 'as many real training digits',
  run: async tools => {
    const engine = wasmEngine()
    const real = await judgeOf(engine, tools)
    const featuresOf = (pictures: Float32Array): Float64Array => judge(engine, real.parameters, pictures).features
    const test = featuresOf(real.test.pictures)
    const root = dirname(dirname(tools.cache))
    const distance = async (guidance: number, told: boolean, count: number): Promise<number> => {
      const { pictures } = await digitSamples(engine, root, { count, steps: STEPS, guidance, told }, tools.say)
      return frechet(featuresOf(pictures), test, FEATURES)
    }
    const file = (name: string) => tools.shared(`data/mnist/train-${name}-ubyte.gz`)
    const training = readDigits(file('images-idx3'), file('labels-idx1')).pictures
    const floor = frechet(featuresOf(training.subarray(0, COUNT * PIXELS)), test, FEATURES)
    const noise = frechet(
      featuresOf(training.subarray(0, COUNT * PIXELS).map((_, i) => Math.sin(i * i))),
      test,
      FEATURES,
    )
    const value = await distance(1, true, COUNT)
    const untold = await distance(0, false, COUNT / 2)
    return {
      value,
      peerValue: floor,
      ratio: lowerIsBetter(value, floor),
      threads: 1,
      runs: 1,
      note: [
        `${COUNT} digits by DDIM in ${STEPS} steps, guidance 1, against the 10,000 test digits, in the classifier's ${FEATURES} features`,
        `${COUNT} real training digits: ${floor.toFixed(2)}`,
        `not told the class, ${COUNT / 2}: ${untold.toFixed(2)}`,
        `noise: ${noise.toFixed(0)}`,
      ].join('; '),
    }
  },
}
