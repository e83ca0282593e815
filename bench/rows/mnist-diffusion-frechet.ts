/** How far the bundled model's digits are, as a distribution, from real ones that it never saw: Fréchet distance in the classifier's features. */
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { judge, readDigits } from '../digitJudge.ts'
import { latentDigits, unconditionalDigits } from '../digitModels.ts'
import { bundledDigits, digitSamples, judgeOf } from '../digitSamples.ts'
import { frechet } from '../frechet.ts'
import { lowerIsBetter, orReason, type Row } from '../row.ts'

const COUNT = 2000
const FEW = 1000
const STEPS = 30
const FEATURES = 64
const PIXELS = 28 * 28

export const row: Row = {
  name: 'mnist-diffusion-frechet',
  title: 'Fréchet distance of digits of the bundled diffusion model from the real test digits',
  unit: 'squared feature units',
  target: 'value <= 3',
  peer: 'as many real training digits',
  run: async tools => {
    const engine = wasmEngine()
    const real = await judgeOf(engine, tools)
    const featuresOf = (pictures: Float32Array): Float64Array => judge(engine, real.parameters, pictures).features
    const test = featuresOf(real.test.pictures)
    const distance = (pictures: Float32Array): number => frechet(featuresOf(pictures), test, FEATURES)
    const file = (name: string) => tools.shared(`data/mnist/train-${name}-ubyte.gz`)
    const training = readDigits(file('images-idx3'), file('labels-idx1')).pictures
    const floor = (count: number): number => distance(training.subarray(0, count * PIXELS))
    const noise = distance(training.subarray(0, FEW * PIXELS).map((_, i) => Math.sin(i * i)))

    const bundled = bundledDigits(engine, tools)
    tools.say('  the bundled model, guidance 1')
    const value = distance(
      (await digitSamples(bundled, { count: COUNT, steps: STEPS, guidance: 1 }, tools.say)).pictures,
    )
    const few = { count: FEW, steps: STEPS }
    tools.say('  the bundled model, guidance 2, and not told the class')
    const guided = distance((await digitSamples(bundled, { ...few, guidance: 2 }, tools.say)).pictures)
    const untold = distance((await digitSamples(bundled, { ...few, guidance: 0, told: false }, tools.say)).pictures)
    tools.say('  a model that was never told classes')
    const unconditional = await orReason(
      unconditionalDigits(engine, tools).then(async draw =>
        distance((await digitSamples(draw, { ...few, guidance: 0, told: false }, tools.say)).pictures),
      ),
    )
    tools.say('  latent diffusion told "a seven", and its autoencoder alone')
    const latent = await orReason(
      latentDigits(engine, tools).then(async ({ draw, through }) => ({
        drawn: distance((await digitSamples(draw, { ...few, guidance: 1 }, tools.say)).pictures),
        reconstructed: distance(await through(training.subarray(0, FEW * PIXELS))),
      })),
    )
    const shown = (x: number | string): string => (typeof x === 'string' ? x : x.toFixed(2))
    const [drawn, reconstructed] = typeof latent === 'string' ? [latent, latent] : [latent.drawn, latent.reconstructed]
    return {
      value,
      peerValue: floor(COUNT),
      ratio: lowerIsBetter(value, floor(COUNT)),
      threads: 1,
      runs: 1,
      note: [
        `${COUNT} digits by DDIM in ${STEPS} steps, guidance 1, against the 10,000 test digits, in the classifier's ${FEATURES} features`,
        `of ${FEW}: real training digits ${shown(floor(FEW))}`,
        `guidance 2 ${shown(guided)}`,
        `not told the class ${shown(untold)}`,
        `a model without classes ${shown(unconditional)}`,
        `latent diffusion told in words ${shown(drawn)}`,
        `through its autoencoder alone ${shown(reconstructed)}`,
        `noise ${noise.toFixed(0)}`,
      ].join('; '),
      details: {
        'real digits, 1000': floor(FEW),
        'guidance 2': guided,
        'not told the class': untold,
        'a model without classes': unconditional,
        'latent, told in words': drawn,
        'autoencoder alone': reconstructed,
        noise,
      },
    }
  },
}
