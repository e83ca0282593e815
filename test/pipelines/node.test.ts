import { writeFileSync } from 'node:fs'
import * as E from 'fp-ts/lib/Either.js'
import { lastValueFrom, map, take, toArray } from 'rxjs'
import test from 'tape'
import {
  convertPrecision,
  everyLogits,
  generate,
  gpt,
  inspect,
  openModel,
  readPng,
  readText,
  trainInFolder,
  trainingFolder,
  writeGif,
  writePng,
} from '../../pipelines/node.ts'
import {
  decodeOrThrow,
  Gpt2Config,
  InputError,
  initialize,
  joinPictures,
  key,
  pictureGrid,
  random,
  toBytes,
  tokens,
  wasmEngine,
} from '../../src/index.ts'
import { inTemporaryFolder, sampleText } from './cli/harness.ts'

test('what the command line does, in code: train, inspect, convert, open, generate', t =>
  inTemporaryFolder(async path => {
    writeFileSync(path('text.txt'), sampleText(2000))
    const [out, half] = [path('model'), path('half')]
    const engine = wasmEngine()
    const options = { out, text: readText(path('text.txt')), engine, preset: 'tiny', shape: { layers: 1 } } as const
    const run = await trainingFolder({ ...options, own: { steps: 6, checkpointEvery: 3 } })
    const steps = await lastValueFrom(
      trainInFolder(run).pipe(
        map(({ step }) => step),
        toArray(),
      ),
    )
    t.deepEqual(steps, [1, 2, 3, 4, 5, 6])
    await trainingFolder(options).then(
      () => t.fail('a folder that holds a run'),
      error => t.ok(error instanceof InputError && /holds a training run already/.test(error.message), error.message),
    )
    const more = await trainingFolder({ ...options, own: { steps: 8 }, resume: true })
    t.equal((await lastValueFrom(trainInFolder(more))).step, 8, 'resumed')

    convertPrecision(out, 'F16', half)
    const model = await openModel(half, engine)
    t.equal(
      inspect(model.config).tensors.filter(({ name }) => name.startsWith('h.')).length,
      6,
      'one layer of 6 tensors',
    )
    const seen = await lastValueFrom(generate(model, 'the ', { seed: 7 }).pipe(take(3), toArray()))
    t.deepEqual(
      seen.map(({ position }) => position),
      [4, 5, 6],
    )
  }))

test('samples on [-1, 1] become PNG and GIF in code', async t => {
  const frames = [1, 2].map(seed => {
    const pixels = toBytes(random.normal(key(seed), 3 * 4 * 4))
    return pictureGrid({ count: 3, channels: 1, height: 4, width: 4, pixels }, { zoom: 2 })
  })
  const [first] = frames
  if (first === undefined) return t.fail('no frames')
  t.deepEqual(readPng(writePng(first), 'grid.png'), E.right(first))
  const gif = await writeGif(joinPictures(frames, 'frames'), { delay: 80, lastDelay: 500 })
  t.equal(String.fromCharCode(...gif.subarray(0, 6)), 'GIF89a')
  t.end()
})

test('a model of a configuration that is written by hand', t => {
  const sizes = { vocab_size: 5, n_positions: 8, n_embd: 4, n_layer: 1, n_head: 2 }
  const model = gpt(decodeOrThrow(Gpt2Config, sizes, 'my model'))
  const parameters = initialize(everyLogits(model), tokens([0]), wasmEngine(), key(1))
  t.deepEqual(parameters['wte.weight']?.shape, [5, 4])
  t.throws(
    () => decodeOrThrow(Gpt2Config, { ...sizes, n_head: 3 }, 'my model'),
    /^InputError: my model: n_embd: expected a multiple of n_head = 3, found 4$/,
  )
  t.end()
})
