import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { captionsOf } from '../../../pipelines/diffusion/captions.ts'
import { orThrow } from '../../../src/codec/decode.ts'
import { readPng, writePng } from '../../../src/format/png.ts'
import { bar, lastState, SIDE, writeBars } from './bars.ts'
import { fluxion, inTemporaryFolder, jsonLines, refused } from './harness.ts'

const tiny = ['--preset', 'tiny', '--json']

const CAPTIONS = { above: ['a bar above', 'above'], below: ['a bar below', 'below'] }

/** A trained autoencoder of bars, and captions for them. */
const prepare = async (t: test.Test, path: (name: string) => string, more: readonly string[]): Promise<void> => {
  writeBars(path('bars'))
  writeFileSync(path('captions.json'), JSON.stringify(CAPTIONS))
  const coder = await fluxion(['train-autoencoder', path('bars'), '--out', path('coder'), ...tiny, ...more])
  t.equal(coder.code, 0, coder.stderr)
}

const trainOn = (path: (name: string) => string, out: string, more: readonly string[], interruptAfter = -1) =>
  fluxion(['train-diffusion', path('bars'), '--out', path(out), '--json', ...more], { interruptAfter })

test('L11: latent diffusion resumed equals never stopped, told classes and told texts; the folder holds all it needs', async t =>
  inTemporaryFolder(async path => {
    await prepare(t, path, ['--steps', '12'])
    const latent = ['--latent', path('coder')]
    const texts = ['--captions', path('captions.json'), '--preset', 'tiny-unet']
    for (const [name, kind] of [['class', ['--preset', 'tiny']] as const, ['text', texts] as const]) {
      const options = [...latent, ...kind, '--steps', '12', '--checkpoint-every', '4', '--evaluate-every', '4']
      const whole = await trainOn(path, `${name}-whole`, options)
      t.equal(whole.code, 0, whole.stderr)
      t.equal((await trainOn(path, `${name}-half`, options, 6)).code, 130)
      renameSync(path('coder'), path('elsewhere'))
      const rest = await trainOn(path, `${name}-half`, ['--resume'])
      t.equal(rest.code, 0, rest.stderr)
      t.deepEqual(jsonLines(rest.stdout), jsonLines(whole.stdout).slice(4), `${name}: losses and validations`)
      t.deepEqual(lastState(path(`${name}-half`)), lastState(path(`${name}-whole`)), `${name}: the last checkpoint`)
      const drawn = ['diffuse', path(`${name}-whole`), '--steps', '2', '--zoom', '1']
      const { code, stderr } = await fluxion([...drawn, '--out', path('a.png'), '--frames', path('a.gif')])
      t.equal(code, 0, stderr)
      const grid = orThrow(readPng(readFileSync(path('a.png')), 'a.png'))
      t.deepEqual([grid.width, grid.height], [2 * (SIDE + 2) + 2, 4 * (SIDE + 2) + 2], 'pictures, not latents')
      renameSync(path('elsewhere'), path('coder'))
    }
    const config = JSON.parse(readFileSync(path('text-whole/config.json'), 'utf8'))
    t.deepEqual(config.captions, Object.values(CAPTIONS))
    t.ok(config.autoencoder.scaling_factor !== 1, `latents are scaled by ${config.autoencoder.scaling_factor}`)

    const again = ['train-diffusion', path('bars'), '--out', path('text-whole'), '--resume']
    writeFileSync(path('captions.json'), JSON.stringify({ ...CAPTIONS, above: ['up'] }))
    await refused(t, [...again, '--captions', path('captions.json')], '--captions: expected ')
    await fluxion(['train-autoencoder', path('bars'), '--out', path('other'), ...tiny, '--steps', '12', '--seed', '9'])
    await refused(t, [...again, '--latent', path('other')], '--latent: expected ')

    const inspected = await fluxion(['inspect', path('text-whole'), '--no-measure', '--json'])
    t.equal(inspected.code, 0, inspected.stderr)
    t.deepEqual(
      jsonLines(inspected.stdout).map(line => Object(line).picture),
      [[1, SIDE, SIDE]],
      'inspect opens it',
    )

    const half = ['convert', 'precision', path('text-whole'), '--to', 'F16', '--out', path('converted')]
    t.equal((await fluxion(half)).code, 0)
    const prompted = await fluxion(['diffuse', path('converted'), '--prompt', 'above', '--steps', '2'])
    t.equal(prompted.code, 0, prompted.stderr)
  }))

test('a latent model told texts draws what a prompt says; pictures can be changed and filled in', async t =>
  inTemporaryFolder(async path => {
    await prepare(t, path, [])
    const texts = [
      '--captions',
      path('captions.json'),
      '--preset',
      'tiny-unet',
      '--learning-rate',
      '0.01',
      '--steps',
      '400',
    ]
    const trained = await trainOn(path, 'model', ['--latent', path('coder'), ...texts])
    t.equal(trained.code, 0, trained.stderr)
    const draw = async (name: string, more: readonly string[]): Promise<void> => {
      const shape = ['--zoom', '1', '--count', '1', '--steps', '8', '--out', path(name)]
      const { code, stderr } = await fluxion(['diffuse', path('model'), ...shape, ...more])
      t.equal(code, 0, stderr)
    }
    /** Brightness above less that below, of a picture in a row. */
    const upper = (name: string, column: number): number => {
      const { pixels, width } = orThrow(readPng(readFileSync(path(name)), name))
      let sum = 0
      for (let i = 0; i < SIDE * SIDE; i++) {
        const [x, y] = [i % SIDE, Math.floor(i / SIDE)]
        sum += (y <= 6 ? 1 : -1) * (pixels[(2 + y) * width + 2 + column * (SIDE + 2) + x] ?? 0)
      }
      return sum / SIDE ** 2
    }
    await draw('prompts.png', ['--prompt', 'a bar above', '--prompt', 'a bar below', '--prompt', 'above'])
    t.deepEqual(
      [0, 1, 2].map(column => upper('prompts.png', column) > 30),
      [true, false, true],
      'bright above where the text says so',
    )
    t.ok(upper('prompts.png', 1) < -30, 'and below')
    await draw('classes.png', ['--class', 'below,above'])
    t.ok(upper('classes.png', 0) < -30 && upper('classes.png', 1) > 30, 'a class is its first caption')

    writeFileSync(path('init.png'), writePng(bar(1, 3)))
    const black = { ...bar(0, 1), pixels: new Uint8Array(SIDE * SIDE) }
    writeFileSync(path('mask.png'), writePng(black))
    await draw('kept.png', ['--prompt', 'above', '--init', path('init.png'), '--mask', path('mask.png')])
    t.ok(upper('kept.png', 0) < -30, 'a mask that opens nothing keeps the picture')
    await draw('changed.png', ['--prompt', 'above', '--init', path('init.png'), '--strength', '1'])
    t.ok(upper('changed.png', 0) > 30, 'made anew')
    await draw('hardly.png', ['--prompt', 'above', '--init', path('init.png'), '--strength', '0.13'])
    t.ok(upper('hardly.png', 0) < -30, 'hardly changed')

    const model = ['diffuse', path('model')]
    await refused(t, [...model, '--prompt', 'a cat above'], 'prompt: expected words among ')
    await refused(t, [...model, '--prompt', 'a bar above above above'], 'prompt: expected at most 4 tokens, found 5')
    await refused(t, [...model, '--prompt', 'above', '--class', 'above'], '--prompt: expected it without --class')
    const config = readFileSync(path('model/config.json'), 'utf8')
    const edited = async (from: string, to: string, message: string): Promise<void> => {
      writeFileSync(path('model/config.json'), config.replace(from, to))
      await refused(t, model, message)
    }
    await edited(
      '"n_embd": 16',
      '"n_embd": 32',
      "config.json: text_encoder: expected one as wide as a U-Net's context_dim",
    )
    await edited(
      '"latent_channels": 2',
      '"latent_channels": 4',
      "config.json: network: expected the size of the autoencoder's latents, [4,7,7]",
    )
    await edited('"above"', '7', 'config.json: ')
  }))

test('train-diffusion --latent and --captions: what does not fit is one line that says what', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'), 10)
    const train = ['train-diffusion', path('bars'), '--out', path('out'), '--steps', '2']
    await fluxion(['train-autoencoder', path('bars'), '--out', path('coder'), ...tiny, '--steps', '2'])
    await refused(t, [...train, '--latent', path('bars')], 'bars/config.json: no such file')
    await refused(t, [...train, '--latent', path('coder'), '--flip'], '--flip: expected pictures')
    await refused(t, [...train, '--preset', 'tiny', '--captions'], 'captions: expected a network of type unet')
    await refused(t, [...train, '--preset', 'tiny-unet', '--captions', path('none.json')], 'none.json: no such file')
    writeFileSync(path('captions.json'), '{ "left": "on the left" }')
    const captions = ['--preset', 'tiny-unet', '--captions', path('captions.json')]
    await refused(t, [...train, ...captions], 'captions.json: expected classes among above, below; found "left"')
    writeFileSync(path('captions.json'), '{ "above": "a bar above" }')
    await refused(t, [...train, ...captions], 'captions.json.below: expected at least one text, found none')
    writeFileSync(path('captions.json'), '{ "above": 3 }')
    await refused(t, [...train, ...captions], 'captions.json: above: expected ')
    const one = ['train-diffusion', path('bars/above'), '--out', path('out'), '--captions']
    await refused(t, one, 'captions: expected pictures with classes, found none')
    await fluxion([...train, '--preset', 'tiny'])
    await refused(t, ['diffuse', path('out'), '--prompt', 'above'], '--prompt: expected a model that is told texts')
    t.deepEqual(captionsOf(['7', '1', 'eagle', 'grey_cat']), [
      ['a seven', 'seven', 'the digit seven', '7'],
      ['a one', 'one', 'the digit one', '1'],
      ['an eagle', 'eagle'],
      ['a grey cat', 'grey cat'],
    ])
  }))
