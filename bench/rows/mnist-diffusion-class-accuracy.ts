/** Whether the bundled model draws the digits it is asked for: a classifier that never saw it reads them. Its own figure on real test digits is the peer's. */
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { accuracy, judge } from '../digitJudge.ts'
import { latentDigits } from '../digitModels.ts'
import { bundledDigits, type DigitSamples, digitSamples, judgeOf } from '../digitSamples.ts'
import { higherIsBetter, orReason, type Row } from '../row.ts'

const COUNT = 1000
const STEPS = 30
const GUIDANCE = 2
const FEW = 200

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
    const bundled = bundledDigits(engine, tools)
    const read = ({ pictures, labels }: DigitSamples): number =>
      accuracy(judge(engine, real.parameters, pictures).classes, labels)
    tools.say(`  the bundled model, guidance ${GUIDANCE}`)
    const drawn = await digitSamples(bundled, { count: COUNT, steps: STEPS, guidance: GUIDANCE }, tools.say)
    const few = { count: FEW, steps: STEPS, guidance: 1 }
    tools.say('  the bundled model, guidance 1, and in 10 steps')
    const plain = await digitSamples(bundled, few, tools.say)
    const quick = await digitSamples(bundled, { ...few, steps: 10, guidance: GUIDANCE }, tools.say)
    tools.say('  latent diffusion told "a seven"')
    const latent = await orReason(
      latentDigits(engine, tools).then(({ draw }) =>
        digitSamples(draw, { count: COUNT, steps: STEPS, guidance: GUIDANCE }, tools.say),
      ),
    )
    const value = read(drawn)
    const time = ({ millisecondsAPicture: ms }: DigitSamples, steps: number): string =>
      `${ms.toFixed(0)} ms a picture, ${(ms / steps).toFixed(1)} a step`
    return {
      value,
      peerValue: real.accuracy,
      ratio: higherIsBetter(value, real.accuracy),
      threads: 1,
      runs: 1,
      note: [
        `${COUNT} digits by DDIM in ${STEPS} steps in batches of 100, guidance ${GUIDANCE}: ${time(drawn, STEPS)}`,
        `guidance 1, ${FEW} digits: ${read(plain)}, ${time(plain, STEPS)}`,
        `10 steps, ${FEW} digits: ${read(quick)}, ${time(quick, 10)}`,
        typeof latent === 'string'
          ? `latent diffusion: ${latent}`
          : `latent diffusion told "a seven": ${read(latent)}, ${time(latent, STEPS)}`,
      ].join('; '),
      details: {
        'guidance 1': read(plain),
        '10 steps': read(quick),
        'latent, told in words': typeof latent === 'string' ? latent : read(latent),
        'ms a picture': drawn.millisecondsAPicture,
        'ms a picture, latent': typeof latent === 'string' ? latent : latent.millisecondsAPicture,
      },
    }
  },
}
