/** Whether the bundled model draws the digits it is asked for: a classifier that never saw it reads them. Its own figure on real test digits is the peer's. */
import { dirname } from 'node:path'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { accuracy, judge } from '../digitJudge.ts'
import { digitSamples, judgeOf } from '../digitSamples.ts'
import { higherIsBetter, type Row } from '../row.ts'

const COUNT = 1000
const STEPS = 30
const GUIDANCE = 2

export const row: Row = {
  name: 'mnist-diffusion-class-accuracy',
  title: 'digits of the bundled diffusion model read as the class that was asked for',
  unit: 'of digits',
  target: 'value >= 0.97',
  peer: 'the classifier on the 10,000 real test digits',
  run: async tools => {
    const engine = wasmEngine()
    const real = await judgeOf(engine, tools)
    if (real.accuracy < 0.99) throw new Error(`the judge reads ${real.accuracy} of the test digits, expected 0.99`)
    const root = dirname(dirname(tools.cache))
    const drawn = await digitSamples(engine, root, { count: COUNT, steps: STEPS, guidance: GUIDANCE }, tools.say)
    const plain = await digitSamples(engine, root, { count: 200, steps: STEPS, guidance: 1 }, tools.say)
    const read = (samples: typeof drawn): number =>
      accuracy(judge(engine, real.parameters, samples.pictures).classes, samples.labels)
    const value = read(drawn)
    return {
      value,
      peerValue: real.accuracy,
      ratio: higherIsBetter(value, real.accuracy),
      threads: 1,
      runs: 1,
      note: [
        `${COUNT} digits by DDIM in ${STEPS} steps, guidance ${GUIDANCE}`,
        `${drawn.millisecondsAPicture.toFixed(0)} ms a picture, ${(drawn.millisecondsAPicture / STEPS).toFixed(1)} ms a step of one in a batch of 100`,
        `guidance 1: ${read(plain)} of 200, ${plain.millisecondsAPicture.toFixed(0)} ms a picture`,
      ].join('; '),
    }
  },
}
