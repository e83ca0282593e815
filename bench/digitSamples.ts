/** Digits drawn from models of digits, for the rows that judge them. */
import { dirname, join } from 'node:path'
import { last, lastValueFrom } from 'rxjs'
import { openDenoiser } from '../pipelines/diffusion/denoisingFolder.ts'
import { diffuse } from '../pipelines/diffusion/diffuse.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { accuracy, type Digits, digitJudge, judge, readDigits } from './digitJudge.ts'
import type { DrawDigits } from './digitModels.ts'
import type { Tools } from './row.ts'

/** Pictures drawn at once. */
const BATCH = 100
const CLASSES = 10

export interface DigitSamples {
  /** (count, 1, 28, 28) on [-1, 1]. */
  readonly pictures: Float32Array
  readonly labels: Int32Array
  readonly millisecondsAPicture: number
}

export interface SampleOptions {
  readonly count: number
  readonly steps: number
  readonly guidance: number
  /** Untold draws whatever the model likes. */
  readonly told?: boolean
}

/** The model in models/digits. */
export const bundledDigits = (engine: Engine, { cache }: Tools): DrawDigits => {
  const opened = openDenoiser(join(dirname(dirname(cache)), 'models', 'digits'), engine)
  return options => diffuse(opened, engine, options).pipe(last())
}

/** As many of each class, by DDIM; batch k from seed k. */
export const digitSamples = async (
  draw: DrawDigits,
  { count, steps, guidance, told = true }: SampleOptions,
  say: Tools['say'],
): Promise<DigitSamples> => {
  const labels = Int32Array.from({ length: count }, (_, i) => (told ? i % CLASSES : CLASSES))
  const pictures = new Float32Array(count * 28 * 28)
  const began = performance.now()
  for (let first = 0; first < count; first += BATCH) {
    const asked = { labels: labels.subarray(first, first + BATCH), steps, guidance, seed: first / BATCH }
    const { sample } = await lastValueFrom(draw(asked))
    pictures.set(sample, first * 28 * 28)
    if ((first + BATCH) % 500 === 0 || first + BATCH >= count) say(`  ${first + BATCH} of ${count} pictures`)
  }
  return { pictures, labels, millisecondsAPicture: (performance.now() - began) / count }
}

export interface Judgement {
  readonly parameters: Named
  readonly test: Digits
  /** Part of the test digits that the judge reads right. */
  readonly accuracy: number
}

/** The judge, trained where it is not yet, and how good it is. */
export const judgeOf = async (engine: Engine, tools: Tools): Promise<Judgement> => {
  const file = (name: string) => tools.shared(`data/mnist/${name}-ubyte.gz`)
  const training = () => readDigits(file('train-images-idx3'), file('train-labels-idx1'))
  const parameters = await digitJudge(engine, training, tools.cache, tools.say)
  const test = readDigits(file('t10k-images-idx3'), file('t10k-labels-idx1'))
  return { parameters, test, accuracy: accuracy(judge(engine, parameters, test.pictures).classes, test.labels) }
}
