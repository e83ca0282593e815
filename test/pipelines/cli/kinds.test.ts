/** Every kind of folder that fluxion writes opens with every command that can take it; the others name what they found. */
import { readFileSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { openAutoencoder } from '../../../pipelines/diffusion/autoencoderFolder.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, tensor } from '../../../src/tensor/tensor.ts'
import { SIDE, writeBars } from './bars.ts'
import { fluxion, inTemporaryFolder, jsonLines, refused, sampleText } from './harness.ts'

const short = ['--preset', 'tiny', '--steps', '2', '--warmup', '1', '--evaluate-every', '0', '--batch', '2']

const kinds = {
  text: { article: 'a language model', command: 'train', data: 'text.txt', more: [] },
  coder: { article: 'an autoencoder', command: 'train-autoencoder', data: 'bars', more: [] },
  dit: { article: 'a diffusion model', command: 'train-diffusion', data: 'bars', more: [] },
  unet: { article: 'a diffusion model', command: 'train-diffusion', data: 'bars', more: ['--preset', 'tiny-unet'] },
  latent: { article: 'a diffusion model', command: 'train-diffusion', data: 'bars', more: ['--latent', 'coder'] },
  told: {
    article: 'a diffusion model',
    command: 'train-diffusion',
    data: 'bars',
    more: ['--latent', 'coder', '--captions', '--preset', 'tiny-unet', '--learn-sigma'],
  },
} as const

test('every kind of folder is inspected, measured and converted; what takes one kind alone names the other', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'), 4)
    writeFileSync(path('text.txt'), sampleText(4000))
    for (const [name, { command, data, more }] of Object.entries(kinds)) {
      const given = more.map(each => (each === 'coder' ? path(each) : each))
      const { code, stderr } = await fluxion([command, path(data), '--out', path(name), ...short, ...given])
      t.equal(code, 0, `${name}: ${stderr}`)
    }
    for (const [name, { article }] of Object.entries(kinds)) {
      const shown = await fluxion(['inspect', path(name), '--no-measure', '--json'])
      const [line] = jsonLines(shown.stdout)
      t.ok(shown.code === 0 && Object(line).parameters > 0 && Object(line).flops.train > 0, `inspect ${name}`)

      const half = ['convert', 'precision', path(name), '--to', 'F16', '--out', path(`${name}-f16`)]
      const { code, stderr } = await fluxion(half)
      t.equal(code, 0, `convert ${name}: ${stderr}`)
      const again = jsonLines((await fluxion(['inspect', path(`${name}-f16`), '--no-measure', '--json'])).stdout)
      t.deepEqual([Object(again[0]).types, Object(again[0]).parameters], [['F16'], Object(line).parameters], name)

      const quantize = ['quantize', path(name), '--to', 'q8_0', '--out', path(`${name}-q8`)]
      if (name === 'text') t.equal((await fluxion(quantize)).code, 0, 'quantize')
      else {
        await refused(t, quantize, `${path(name)}: expected a language model, found ${article}`)
        await refused(t, ['generate', 'a', '--model', path(name)], `expected a language model, found ${article}`)
      }
      if (article !== 'a diffusion model')
        await refused(t, ['diffuse', path(name)], `${path(name)}: expected a diffusion model, found ${article}`)
      if (article !== 'an autoencoder')
        await refused(
          t,
          ['train-diffusion', path('bars'), '--out', path('new'), '--latent', path(name)],
          `${path(name)}: expected an autoencoder, found ${article}`,
        )
      for (const other of Object.values(kinds))
        if (other.article !== article)
          await refused(
            t,
            [other.command, path(other.data), '--out', path(name), '--resume'],
            `${path(name)}: holds another kind of run: expected one of ${other.article}, found one of ${article}`,
          )
    }
    const config = readFileSync(path('coder/config.json'), 'utf8')
    writeFileSync(path('coder/config.json'), config.replace('"vae"', '"vq"'))
    await refused(
      t,
      ['inspect', path('coder')],
      'model_type: expected "gpt2" or "llama" or "denoising-diffusion" or "vae", found "vq"',
    )
  }))

test('an inspected autoencoder: its sizes, costs as kernels count them, times', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'), 4)
    await fluxion(['train-autoencoder', path('bars'), '--out', path('coder'), ...short])
    const { stdout } = await fluxion(['inspect', path('coder'), '--json'])
    const [line] = jsonLines(stdout)
    const { picture, latent, flops, memory, measured, parameters } = Object(line)
    t.deepEqual(
      [picture, latent],
      [
        [1, SIDE, SIDE],
        [2, SIDE / 2, SIDE / 2],
      ],
    )
    t.equal(memory.parameters, 4 * parameters, 'f32')
    const engine = wasmEngine()
    const { encode, decode } = openAutoencoder(path('coder'), engine)
    const counted = (work: typeof encode, shape: readonly number[]): number => {
      const before = engine.counter.flops
      scope(() => readNow(work(tensor(engine, shape, new Float32Array(shape.reduce((a, b) => a * b))))))
      return engine.counter.flops - before
    }
    t.equal(counted(encode, [1, ...picture]), flops.encode)
    t.equal(counted(decode, [1, ...latent]), flops.decode)
    const training = flops.train / (3 * (flops.encode + flops.decode))
    t.ok(training > 0.9 && training < 1.1, `training is three times both: ${training.toFixed(3)}`)
    for (const { encode: encoding, decode: decoding } of measured)
      for (const [passes, one] of [[encoding, flops.encode] as const, [decoding, flops.decode] as const])
        t.deepEqual(
          passes.map((pass: { readonly pictures: number; readonly flops: number }) => [pass.pictures, pass.flops]),
          [
            [1, one],
            [16, 16 * one],
          ],
        )
    const text = await fluxion(['inspect', path('coder'), '--no-measure'])
    t.ok(/latent +2 x 7 x 7/.test(text.stdout), 'as text')
  }))
