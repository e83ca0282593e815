/**
 * The judge of generated digits: a convolutional classifier trained on MNIST's 60,000 training digits by fluxion itself, apart from any diffusion model. It reads at
 * least 99 % of the 10,000 test digits right, and its last hidden layer is the space of the Fréchet distance.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { lastValueFrom, tap } from 'rxjs'
import { relu } from '../operators/activation.ts'
import { convolution2d } from '../operators/convolution/convolution2d.ts'
import type { Planes } from '../operators/convolution/planes.ts'
import { maxPool2d } from '../operators/convolution/pool2d.ts'
import type { Hidden, Logits } from '../operators/hidden.ts'
import { linear } from '../operators/linear.ts'
import { crossEntropy } from '../operators/loss/crossEntropy.ts'
import { writeDurably } from '../pipelines/files.ts'
import { readTensors } from '../pipelines/folder.ts'
import { upload } from '../pipelines/parameters.ts'
import { optimizerOf, runTraining } from '../pipelines/runTraining.ts'
import type { Indexed, Objective } from '../pipelines/trainer.ts'
import { orThrow } from '../src/codec/decode.ts'
import { compose, sequence } from '../src/compose.ts'
import { context, type Named, normalInit } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { shapeEngine } from '../src/engine/shape/engine.ts'
import { readIdx } from '../src/format/idx.ts'
import { safetensorsPieces } from '../src/format/safetensors.ts'
import { initialize } from '../src/initialize.ts'
import type { Operator } from '../src/operator.ts'
import { fold, integers, key } from '../src/random.ts'
import { scope } from '../src/tensor/scope.ts'
import { empty, readNow, tensor } from '../src/tensor/tensor.ts'
import { tokens } from '../src/tensor/tokens.ts'

const SIDE = 28
const PIXELS = SIDE * SIDE
const FEATURES = 64
const STEPS = 3600
const BATCH = 100
const options = {
  steps: STEPS,
  learningRate: 2e-3,
  minimumLearningRate: 1e-6,
  warmup: 100,
  weightDecay: 0.05,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  clip: 1,
  accumulate: 1,
  validation: 0,
  evaluateEvery: 0,
  checkpointEvery: 0,
  keep: 1,
  seed: 11,
}

/** Digits on [-1, 1], (count, 1, 28, 28), and what they are. */
export interface Digits {
  readonly count: number
  readonly pictures: Float32Array
  readonly labels: Int32Array
}

const idx = (path: string): Uint8Array => orThrow(readIdx(gunzipSync(readFileSync(path)), path)).values

export const readDigits = (images: string, labels: string): Digits => {
  const ids = Int32Array.from(idx(labels))
  return { count: ids.length, pictures: Float32Array.from(idx(images), value => value / 127.5 - 1), labels: ids }
}

const layer = (name: string, outputs: number): Operator<Planes, Planes> =>
  sequence(
    convolution2d({ name, outputs, kernel: 3, padding: 1, init: normalInit(0.1) }),
    relu<readonly ['batch', 'channels', 'height', 'width']>,
    maxPool2d({ window: 2 }),
  )

const flat: Operator<Planes, Hidden> = (_, x) => {
  const [batch = 0] = x.shape
  return {
    value: x.share([batch, 1, x.size / batch]),
    state: {},
    saved: [],
    pullback: d => [{}, d.share<readonly ['batch', 'channels', 'height', 'width']>(x.shape)],
  }
}

/** (batch, 1, 28, 28) -> (batch, 1, 64). */
const features: Operator<Planes, Hidden> = sequence(
  layer('conv1', 16),
  layer('conv2', 32),
  layer('conv3', 64),
  flat,
  linear({
    name: 'features',
    from: 'width',
    to: 'width',
    width: FEATURES,
    bias: true,
    layout: 'torch',
    init: normalInit(0.05),
  }),
  relu<readonly ['batch', 'time', 'width']>,
)
const head: Operator<Hidden, Logits> = linear({
  name: 'head',
  from: 'width',
  to: 'vocabulary',
  width: 10,
  bias: true,
  layout: 'torch',
  init: normalInit(0.1),
})

interface DigitBatch extends Indexed {
  readonly pictures: Float32Array
  readonly labels: Int32Array
}

const rowsOf = ({ pictures, labels }: Digits, rows: ArrayLike<number>): Omit<DigitBatch, 'index'> => {
  const chosen = new Float32Array(rows.length * PIXELS)
  const ids = new Int32Array(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0
    chosen.set(pictures.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS)
    ids[i] = labels[row] ?? 0
  }
  return { pictures: chosen, labels: ids }
}

/** Up to two pixels aside, dark ground moving in. */
const shifted = (batch: Omit<DigitBatch, 'index'>, moves: ArrayLike<number>): Omit<DigitBatch, 'index'> => {
  const pictures = new Float32Array(batch.pictures.length).fill(-1)
  for (let i = 0; i < batch.labels.length; i++) {
    const move = moves[i] ?? 0
    const [down, right] = [Math.floor(move / 5) - 2, (move % 5) - 2]
    for (let y = Math.max(0, down); y < Math.min(SIDE, SIDE + down); y++)
      for (let x = Math.max(0, right); x < Math.min(SIDE, SIDE + right); x++)
        pictures[i * PIXELS + y * SIDE + x] = batch.pictures[i * PIXELS + (y - down) * SIDE + x - right] ?? -1
  }
  return { ...batch, pictures }
}

/** Trains the judge, or takes it from `cache`. */
export const digitJudge = async (
  engine: Engine,
  digits: () => Digits,
  cache: string,
  say: (line: string) => void,
): Promise<Named> => {
  const path = join(cache, 'digit-judge.safetensors')
  if (existsSync(path)) return upload(readTensors(path), engine)
  const set = digits()
  const run = key(options.seed)
  const model = compose(features, head)
  const objective: Objective<DigitBatch> = (c, { pictures, labels }) =>
    compose(model, crossEntropy(tokens(labels, [labels.length, 1]), { labelSmoothing: 0.05 }))(
      c,
      tensor(engine, [labels.length, 1, SIDE, SIDE], pictures),
    )
  const last = await lastValueFrom(
    runTraining({
      engine,
      options,
      ...optimizerOf(options),
      parameters: () => initialize(model, empty(shapeEngine(), [1, 1, SIDE, SIDE]), engine, fold(run, 'parameters')),
      objective,
      batchAt: index => {
        const drawn = fold(fold(run, 'batches'), index)
        const rows = integers(fold(drawn, 'rows'), BATCH, set.count)
        return { index, ...shifted(rowsOf(set, rows), integers(fold(drawn, 'moves'), BATCH, 25)) }
      },
      key: fold(run, 'noise'),
      validate: null,
      from: null,
    }).pipe(
      tap(({ step, loss }) => {
        if (step % 200 === 0) say(`  judge, step ${step} of ${STEPS}: loss ${loss.toFixed(4)}`)
      }),
    ),
  )
  if (last.snapshot === null) throw new TypeError('the last step has a snapshot')
  writeDurably(path, safetensorsPieces(last.snapshot.parameters))
  return upload(last.snapshot.parameters, engine)
}

export interface Judged {
  /** Most probable class of each picture. */
  readonly classes: Int32Array
  /** (count, 64) */
  readonly features: Float64Array
}

/** What the judge makes of pictures (count, 1, 28, 28). */
export const judge = (engine: Engine, parameters: Named, pictures: Float32Array): Judged => {
  const count = pictures.length / PIXELS
  const classes = new Int32Array(count)
  const all = new Float64Array(count * FEATURES)
  for (let first = 0; first < count; first += BATCH)
    scope(() => {
      const rows = Math.min(BATCH, count - first)
      const c = context(parameters, { differentiable: false })
      const x: Planes = tensor(
        engine,
        [rows, 1, SIDE, SIDE],
        pictures.subarray(first * PIXELS, (first + rows) * PIXELS),
      )
      const hidden = features(c, x).value
      all.set(readNow(hidden), first * FEATURES)
      const logits = readNow(head(c, hidden).value)
      for (let i = 0; i < rows; i++)
        for (let k = 1; k < 10; k++)
          if ((logits[i * 10 + k] ?? 0) > (logits[i * 10 + (classes[first + i] ?? 0)] ?? 0)) classes[first + i] = k
    })
  return { classes, features: all }
}

/** Part of the pictures read as their class. */
export const accuracy = (found: Int32Array, labels: ArrayLike<number>): number =>
  found.reduce((right, id, i) => right + (id === labels[i] ? 1 : 0), 0) / found.length
