import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { openAutoencoder } from '../../../pipelines/diffusion/autoencoderFolder.ts'
import { orThrow } from '../../../src/codec/decode.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { toSigned } from '../../../src/format/pictures.ts'
import { readPng } from '../../../src/format/png.ts'
import { scope } from '../../../src/tensor/scope.ts'
import { readNow, tensor } from '../../../src/tensor/tensor.ts'
import { bar, lastState, SIDE, writeBars } from './bars.ts'
import { fluxion, inTemporaryFolder, jsonLines, refused } from './harness.ts'

const tiny = ['--preset', 'tiny', '--json']

test('L11: train-autoencoder resumed equals training never stopped, bit for bit', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'))
    const train = (out: string, more: readonly string[], inside?: { interruptAfter: number }) =>
      fluxion(['train-autoencoder', path('bars'), '--out', path(out), ...tiny, ...more], inside)
    const options = ['--steps', '24', '--checkpoint-every', '8', '--evaluate-every', '8', '--sample-every', '12']
    const whole = await train('whole', options)
    t.equal(whole.code, 0, whole.stderr)
    t.equal((await train('half', options, { interruptAfter: 13 })).code, 130)
    const rest = await train('half', ['--resume'])
    t.equal(rest.code, 0, rest.stderr)
    const named = (text: string) => text.replaceAll(path('half'), path('whole'))
    t.deepEqual(jsonLines(named(rest.stdout)), jsonLines(whole.stdout).slice(8), 'losses, rates, validations, samples')
    t.deepEqual(lastState(path('half')), lastState(path('whole')), 'weights, moments, record')
    for (const file of ['model.safetensors', 'config.json', 'samples/000024.png'])
      t.ok(readFileSync(path(`half/${file}`)).equals(readFileSync(path(`whole/${file}`))), file)
    await train('other', [...options, '--seed', '1'])
    t.notDeepEqual(lastState(path('other'))[0], lastState(path('whole'))[0], 'negative control: another seed')

    t.deepEqual(readdirSync(path('whole/samples')), ['000012.png', '000024.png'])
    const grid = orThrow(readPng(readFileSync(path('whole/samples/000024.png')), 'sample'))
    t.equal(grid.height, 2 * (2 * SIDE + 2) + 2, 'pictures, and below them what is left of them')

    const again = ['train-autoencoder', path('bars'), '--out', path('whole')]
    await refused(t, again, 'holds a training run already')
    await refused(t, [...again, '--resume', '--batch', '3'], '--batch: expected 16')
    await refused(t, [...again, '--preset', 'large'], '--preset: expected "digits" or "tiny"')
    await refused(t, ['train-autoencoder', path('bars'), '--out', path('new'), '--divergence', '-1'], '--divergence: ')
    await refused(
      t,
      ['train-autoencoder', path('bars'), '--out', path('new')],
      'height: expected a multiple of 4, as the width, found 14',
    )
    writeBars(path('bars'), 41)
    await refused(t, [...again, '--resume'], 'pictures: expected those of the run')
    await refused(t, ['diffuse', path('whole')], 'expected a diffusion model, found an autoencoder')
  }))

test('an autoencoder in a folder learns pictures', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'))
    const { code, stderr } = await fluxion(['train-autoencoder', path('bars'), '--out', path('coder'), ...tiny])
    t.equal(code, 0, stderr)
    const engine = wasmEngine()
    const { encode, decode } = openAutoencoder(path('coder'), engine)
    const picture = toSigned(bar(1, 7).pixels)
    scope(() => {
      const latents = encode(tensor(engine, [1, 1, SIDE, SIDE], picture))
      t.deepEqual(latents.shape, [1, 2, SIDE / 2, SIDE / 2])
      const left = Array.from(readNow(decode(latents)))
      const error = left.reduce((sum, value, i) => sum + (value - (picture[i] ?? 0)) ** 2, 0) / picture.length
      t.ok(error < 0.05, `mean squared error ${error}`)
    })
    const config = readFileSync(path('coder/config.json'), 'utf8')
    writeFileSync(path('coder/config.json'), config.replace('"latent_channels": 2', '"latent_channels": 3'))
    t.throws(() => openAutoencoder(path('coder'), engine), /conv/, 'weights of another shape')
  }))
