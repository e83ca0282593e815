import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { lastValueFrom } from 'rxjs'
import test from 'tape'
import { ddpm } from '../../../operators/diffusion/sampler/ddpm.ts'
import type { Sampler } from '../../../operators/diffusion/sampler/sampler.ts'
import { latestCheckpoint } from '../../../pipelines/checkpoint.ts'
import { denoise } from '../../../pipelines/diffusion/denoise.ts'
import { openDenoiser } from '../../../pipelines/diffusion/denoisingFolder.ts'
import { diffuse, guidedDenoiser } from '../../../pipelines/diffusion/diffuse.ts'
import { levelsOf } from '../../../pipelines/diffusion/samplerOf.ts'
import { readPictures } from '../../../pipelines/readPictures.ts'
import { digest } from '../../../pipelines/readText.ts'
import { orThrow } from '../../../src/codec/decode.ts'
import { levelNames, stepSamplerNames } from '../../../src/codec/diffusing.ts'
import { wasmEngine } from '../../../src/engine/wasm/engine.ts'
import { InputError } from '../../../src/errors.ts'
import { pictureGrid } from '../../../src/format/pictureGrid.ts'
import { readPng, writePng } from '../../../src/format/png.ts'
import { bar, lastState, SIDE, writeBars } from './bars.ts'
import { fluxion, inTemporaryFolder, jsonLines } from './harness.ts'

/** The tiny preset takes pictures that patches of 7 fit. */
const tiny = ['--preset', 'tiny', '--json']

test('L11: train-diffusion resumed equals training never stopped, bit for bit', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'))
    const train = (out: string, more: readonly string[], inside?: { interruptAfter: number }) =>
      fluxion(['train-diffusion', path('bars'), '--out', path(out), ...tiny, ...more], inside)
    const options = ['--steps', '24', '--checkpoint-every', '8', '--evaluate-every', '8', '--accumulate', '2']
    const whole = await train('whole', options)
    t.equal(whole.code, 0, whole.stderr)
    const half = await train('half', options, { interruptAfter: 13 })
    t.equal(half.code, 130)
    t.equal(jsonLines(half.stdout).length, 13, 'S10: no step after the interrupt')
    const rest = await train('half', ['--resume'])
    t.equal(rest.code, 0, rest.stderr)
    t.deepEqual(jsonLines(rest.stdout), jsonLines(whole.stdout).slice(8), 'losses, learning rates, validations')
    t.deepEqual(lastState(path('half')), lastState(path('whole')), 'averaged weights, weights, moments, record')
    for (const file of ['model.safetensors', 'config.json'])
      t.ok(readFileSync(path(`half/${file}`)).equals(readFileSync(path(`whole/${file}`))), file)
    await train('other', [...options, '--seed', '1'])
    t.notDeepEqual(lastState(path('other'))[0], lastState(path('whole'))[0], 'negative control: another seed')

    const again = await train('whole', ['--resume', '--steps', '3', '--warmup', '3'])
    t.deepEqual([again.code, again.stderr.split('\n').length], [2, 2], again.stderr.trim())
    writeBars(path('bars'), 41)
    const changed = await train('whole', ['--resume'])
    t.ok(changed.code === 2 && changed.stderr.includes('pictures: expected those of the run'), changed.stderr.trim())
  }))

test('samples during training: one of each class every so many steps, and the training is the same', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'), 10)
    const train = (out: string, more: readonly string[]) =>
      fluxion(['train-diffusion', path('bars'), '--out', path(out), ...tiny, '--steps', '10', ...more])
    await train('plain', [])
    t.notOk(existsSync(path('plain/samples')), 'none unless asked for')
    const shown = await train('shown', ['--sample-every', '4'])
    t.equal(shown.code, 0, shown.stderr)
    t.deepEqual(readdirSync(path('shown/samples')), ['000004.png', '000008.png', '000010.png'])
    const [first, last] = ['000004', '000010'].map(name => readFileSync(path(`shown/samples/${name}.png`)))
    const grid = orThrow(readPng(last ?? new Uint8Array(0), 'sample'))
    t.deepEqual([grid.width, grid.height], [2 * (2 * SIDE + 2) + 2, 2 * SIDE + 4])
    t.notOk(first !== undefined && last?.equals(first), 'they change')
    t.deepEqual(lastState(path('shown')).slice(0, 2), lastState(path('plain')).slice(0, 2), 'weights and moments')
    t.equal(jsonLines(shown.stdout).length, 10)
    t.ok(shown.stdout.split('\n')[3]?.includes('000004.png'), 'the line of the step says where')
  }))

test('diffuse: the same seed gives the same files bit for bit, on a checkpoint too; another seed others', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'))
    const options = ['--out', path('run'), ...tiny, '--steps', '20', '--checkpoint-every', '10']
    await fluxion(['train-diffusion', path('bars'), ...options], { interruptAfter: 12 })
    t.notOk(existsSync(path('run/config.json')), 'a run that has not ended')
    const diffuse = (name: string, more: readonly string[]) =>
      fluxion(['diffuse', path('run'), '--steps', '4', '--count', '2', '--zoom', '1', '--out', path(name), ...more])
    for (const sampler of stepSamplerNames) {
      const first = await diffuse('a.png', ['--sampler', sampler, '--frames', path('a.gif'), '--json'])
      t.equal(first.code, 0, `${sampler} ${first.stderr}`)
      t.deepEqual(
        jsonLines(first.stdout).map(line => Object.keys(line ?? {})[0]),
        ['step', 'step', 'step', 'step', 'file', 'file'],
        'a line a frame, a line a file',
      )
      await diffuse('b.png', ['--sampler', sampler, '--frames', path('b.gif')])
      t.ok(readFileSync(path('a.png')).equals(readFileSync(path('b.png'))), `${sampler}: the same picture`)
      t.ok(readFileSync(path('a.gif')).equals(readFileSync(path('b.gif'))), `${sampler}: the same animation`)
      await diffuse('c.png', ['--sampler', sampler, '--seed', '1'])
      t.notOk(readFileSync(path('a.png')).equals(readFileSync(path('c.png'))), `${sampler}: another seed`)
    }
    const adaptive = (name: string, more: readonly string[]) =>
      fluxion([
        'diffuse',
        path('run'),
        '--sampler',
        'dormand-prince',
        '--count',
        '2',
        '--zoom',
        '1',
        '--out',
        path(name),
        ...more,
      ])
    const lines = jsonLines((await adaptive('a.png', ['--frames', path('a.gif'), '--json'])).stdout).map(Object)
    t.ok(lines.length > 3 && lines.slice(0, -2).every(({ steps }) => steps === null), 'steps of its own')
    t.equal(lines.at(-3).sigma, 0)
    await adaptive('b.png', [])
    t.ok(readFileSync(path('a.png')).equals(readFileSync(path('b.png'))), 'dormand-prince: the same picture')
    await adaptive('c.png', ['--tolerance', '0.3'])
    t.notOk(readFileSync(path('a.png')).equals(readFileSync(path('c.png'))), 'dormand-prince: another tolerance')
    writeFileSync(path('init.png'), writePng(bar(1, 3)))
    const changed = await adaptive('d.png', ['--init', path('init.png'), '--strength', '0.3'])
    t.equal(changed.code, 0, changed.stderr)
    for (const [more, message] of [
      [['--steps', '3'], '--steps: expected none: dormand-prince chooses its own; see --tolerance'],
      [['--levels', 'karras'], '--levels: expected none (dormand-prince chooses its own)'],
      [
        ['--mask', path('init.png'), '--init', path('init.png')],
        '--mask: expected a sampler of a given number of steps',
      ],
      [['--tolerance', '0'], '--tolerance: expected a number in [1e-6, 1), found 0'],
      [['--tolerance', '0.1', '--sampler', 'heun'], '--tolerance: expected none (heun has no tolerance;'],
    ] as const) {
      const { code, stderr } = await adaptive('e.png', more)
      t.ok(code === 2 && stderr.startsWith(`fluxion: ${message}`), stderr.trim())
    }
    const drawn = new Set<string>()
    for (const levels of levelNames) {
      t.equal((await diffuse('l.png', ['--levels', levels])).code, 0, levels)
      drawn.add(digest(readFileSync(path('l.png'))))
    }
    t.equal(drawn.size, levelNames.length, 'each way down is another')
    const grid = orThrow(readPng(readFileSync(path('a.png')), 'a.png'))
    t.deepEqual([grid.width, grid.height], [2 * (SIDE + 2) + 2, 2 * (SIDE + 2) + 2], 'a column a class')

    const halved = await fluxion(['convert', 'precision', path('run'), '--to', 'F16', '--out', path('half')])
    t.equal(halved.code, 0, halved.stderr)
    const bytes = (folder: string): number => statSync(`${folder}/model.safetensors`).size
    t.ok(bytes(path('half')) < 0.6 * bytes(latestCheckpoint(path('run')) ?? ''), 'half the bytes')
    const half = ['diffuse', path('half'), '--steps', '4', '--count', '2', '--zoom', '1', '--out', path('f.png')]
    t.equal((await fluxion(half)).code, 0)
    await diffuse('g.png', [])
    const apart = (x: Uint8Array, y: Uint8Array): number =>
      x.reduce((most, value, i) => Math.max(most, Math.abs(value - (y[i] ?? 0))), 0)
    const pixels = (name: string): Uint8Array => orThrow(readPng(readFileSync(path(name)), name)).pixels
    t.ok(apart(pixels('f.png'), pixels('g.png')) <= 3, 'nearly the same pictures')
    t.ok(apart(pixels('f.png'), pixels('c.png')) > 30, 'control: another sampler and seed')

    writeFileSync(path('init.png'), writePng(bar(1, 3)))
    writeFileSync(path('mask.png'), writePng({ ...bar(0, 1), pixels: new Uint8Array(SIDE * SIDE).fill(0) }))
    const one = ['--class', 'below', '--count', '1', '--init', path('init.png')]
    const slightly = await diffuse('d.png', [...one, '--strength', '0.25'])
    t.equal(slightly.code, 0, slightly.stderr)
    const kept = await diffuse('e.png', [...one, '--mask', path('mask.png')])
    t.equal(kept.code, 0, kept.stderr)
    const shown = orThrow(readPng(readFileSync(path('e.png')), 'e.png'))
    const inside = Array.from(
      { length: SIDE * SIDE },
      (_, i) => shown.pixels[(2 + Math.floor(i / SIDE)) * shown.width + 2 + (i % SIDE)],
    )
    t.deepEqual(inside, [...bar(1, 3).pixels], 'a mask that opens nothing keeps the whole picture')
    const large = pictureGrid(bar(1, 3), { columns: 1, gap: 0, zoom: 3 })
    writeFileSync(path('photo.png'), writePng(large))
    const fitted = await diffuse('f.png', [
      '--class',
      'below',
      '--count',
      '1',
      '--init',
      path('photo.png'),
      '--strength',
      '0.25',
    ])
    t.equal(fitted.code, 0, fitted.stderr)
    t.ok(readFileSync(path('f.png')).equals(readFileSync(path('d.png'))), 'a photo three times as large is fitted')

    const text = await fluxion(['diffuse', path('run'), '--steps', '2', '--count', '1'])
    t.equal(
      text.stdout.split('\n').length,
      (SIDE + 4) / 2 + 1,
      'without a file: half blocks, two rows of pixels a line',
    )

    const refused = async (args: readonly string[], message: string) => {
      const { code, stderr } = await fluxion(['diffuse', path('run'), '--steps', '2', ...args])
      t.equal(code, 2)
      t.equal(stderr.trim().split('\n').length, 1, stderr.trim())
      t.ok(stderr.startsWith('fluxion: ') && stderr.includes(message), message)
    }
    await refused(['--class', 'left'], '--class: expected one of above, below; found "left"')
    await refused(['--sampler', 'magic'], '--sampler: expected "ddim"')
    await refused(['--sampler', 'heun', '--eta', '0.5'], '--eta: expected 0 (heun has no eta; ddim has), found 0.5')
    await refused(['--sampler', 'langevin', '--levels', 'leading'], '--levels: expected "karras" or "exponential"')
    await refused(['--levels', 'all'], '--levels: expected "trailing" or "leading"')
    await refused(['--strength', '2'], '--strength: expected a number in (0, 1]')
    await refused(['--out', path('a.jpg')], '--out: expected a file name that ends in .png')
    await refused(['--frames', path('a.png')], '--frames: expected a file name that ends in .gif')
    await refused(['--count', '0'], '--count: expected an integer from 1 to 65536')
    await refused(['--steps', '2000'], 'steps: expected a whole number from 1 to 1000')
    await refused(['--init', path('none.png')], 'none.png: no such file')
    await refused(['--mask', path('mask.png')], '--mask: expected --init too')
    await refused(['--strength', '0.5'], '--strength: expected --init too')
    await refused(['--repeats', '2'], '--repeats: expected --mask too')
    await refused(['--zoom', '2'], '--zoom: expected --out or --frames too, found neither')
    await refused(['--out', path('z.png'), '--zoom', '9999'], 'grid: expected at most 67108864 pixels')
    const long = ['--frames', path('z.gif'), '--steps', '1000', '--zoom', '9', '--count', '16']
    await refused(long, '--frames: expected sides of at most 65535 and 268435456 pixels in all, found 1000 frames of')
    t.notOk(existsSync(path('z.gif')), 'before anything is drawn')
    const unnamed = await fluxion([
      'train-diffusion',
      path('bars/above'),
      '--out',
      path('unnamed'),
      ...tiny,
      '--steps',
      '2',
    ])
    t.equal(unnamed.code, 0, unnamed.stderr)
    const guided = await fluxion(['diffuse', path('unnamed'), '--steps', '2', '--guidance', '2'])
    t.equal(guided.code, 2)
    t.ok(guided.stderr.includes('--guidance: expected a model that is told classes or texts'), guided.stderr.trim())
    const single = await fluxion(['diffuse', path('unnamed'), '--steps', '1', '--count', '1'])
    t.ok(single.stderr.includes('1 picture, 1 step of ddim'), 'in good English')
    await refused(['--out', path('none/a.png')], 'a.png: no such file or folder')
    mkdirSync(path('folder.png'))
    await refused(['--out', path('folder.png')], 'folder.png: expected a file, found a folder')
    writeFileSync(path('init.png'), 'not a picture')
    await refused(['--init', path('init.png')], 'init.png: ')
    const nowhere = await fluxion(['diffuse', path('bars')])
    t.ok(nowhere.code === 2 && nowhere.stderr.includes('config.json: no such file'), nowhere.stderr.trim())
  }))

test('a rectified flow: the same network, its path and prediction in config.json; it draws', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'), 10)
    for (const name of ['above', 'below'])
      for (let i = 0; i < 10; i++) {
        const file = path(`bars/${name}/${i}.png`)
        const small = orThrow(readPng(readFileSync(file), file))
        writeFileSync(file, writePng(pictureGrid(small, { columns: 1, gap: 1 })))
      }
    const options = ['--preset', 'digits-flow', '--steps', '2', '--batch', '2', '--json']
    const trained = await fluxion(['train-diffusion', path('bars'), '--out', path('flow'), ...options])
    t.equal(trained.code, 0, trained.stderr)
    const config = JSON.parse(readFileSync(path('flow/config.json'), 'utf8'))
    t.deepEqual([config.prediction_type, config.beta_schedule], ['velocity', 'flow'])
    for (const sampler of ['euler', 'ddpm']) {
      const drawn = await fluxion([
        'diffuse',
        path('flow'),
        '--steps',
        '3',
        '--sampler',
        sampler,
        '--out',
        path('f.png'),
      ])
      t.equal(drawn.code, 0, `${sampler} ${drawn.stderr}`)
    }
  }))

test('train-diffusion --size: pictures of any size are cut and shrunk, for the run and its resumption', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'), 4)
    writeFileSync(path('bars/above/wide.png'), writePng({ ...bar(0, 1), height: 7, width: 28 }))
    const train = (...more: readonly string[]) =>
      fluxion(['train-diffusion', path('bars'), '--out', path('run'), ...tiny, '--steps', '2', ...more])
    const mixed = await train()
    t.ok(mixed.code === 2 && mixed.stderr.includes('wide.png: expected 14 x 14 grey'), mixed.stderr.trim())
    const sized = await train('--size', '7')
    t.equal(sized.code, 0, sized.stderr)
    const { network } = JSON.parse(readFileSync(path('run/config.json'), 'utf8'))
    t.deepEqual([network.height, network.width], [7, 7])
    t.equal((await train('--size', '7', '--resume', '--steps', '4')).code, 0)
    const other = await train('--size', '14', '--resume')
    t.ok(other.code === 2 && other.stderr.includes('pictures: expected those of the run'), other.stderr.trim())
    const none = await train('--size', '0')
    t.ok(none.code === 2 && none.stderr.includes('--size: expected an integer from 1 to 4096, found 0'))
  }))

test('a learnt variance: trained with --learn-sigma, resumed exactly, taken by ddpm', async t =>
  inTemporaryFolder(async path => {
    writeBars(path('bars'))
    const train = (out: string, more: readonly string[], inside?: { interruptAfter: number }) =>
      fluxion(['train-diffusion', path('bars'), '--out', path(out), '--json', ...more], inside)
    const options = ['--learn-sigma', '--preset', 'tiny', '--steps', '24', '--checkpoint-every', '8']
    const whole = await train('whole', options)
    t.equal(whole.code, 0, whole.stderr)
    await train('half', options, { interruptAfter: 10 })
    t.equal((await train('half', ['--resume'])).code, 0)
    t.deepEqual(lastState(path('half')), lastState(path('whole')), 'L11')
    await train('plain', ['--preset', 'tiny', '--steps', '2'])
    const wrong = await train('plain', ['--resume', '--learn-sigma'])
    t.ok(wrong.code === 2 && wrong.stderr.includes('--learn-sigma: expected false'), wrong.stderr.trim())
    const weighted = await train('weighted', [...options, '--weighting', 'snr'])
    t.ok(weighted.code === 2 && weighted.stderr.includes('--weighting: expected simple'), weighted.stderr.trim())
    t.notOk(existsSync(path('weighted')), 'and no folder is made')

    const engine = wasmEngine()
    const opened = openDenoiser(path('whole'), engine)
    t.deepEqual(opened.parameters['final_layer.linear.weight']?.shape, [2 * 7 * 7, 32], 'twice the channels')
    const { schedule } = opened
    const steps = { steps: 6, sampler: 'ddpm', levels: null } as const
    const drawn = await lastValueFrom(diffuse(opened, engine, { ...steps, labels: [0, 1] }))
    const by = async (sampler: Sampler): Promise<readonly number[]> => {
      const shape = [2, 1, SIDE, SIDE]
      const denoiser = guidedDenoiser(opened, [0, 1], 2)
      return [
        ...(await lastValueFrom(denoise({ engine, shape, levels: levelsOf(schedule, steps), sampler, denoiser })))
          .sample,
      ]
    }
    t.deepEqual(await by(ddpm({ variance: 'learned' })), [...drawn.sample])
    t.notDeepEqual(await by(ddpm()), [...drawn.sample], 'control: the variance that is not learnt')
    t.equal((await fluxion(['diffuse', path('whole'), '--steps', '2', '--out', path('a.png')])).code, 0, 'and by ddim')
  }))

test('readPictures: MNIST with labels and gzip, CIFAR-10, folders of PNG; anything else says what and where', async t =>
  inTemporaryFolder(async path => {
    const header = (type: number, ...shape: readonly number[]): number[] => [
      0,
      0,
      type,
      shape.length,
      ...shape.flatMap(length => [0, 0, 0, length]),
    ]
    mkdirSync(path('mnist'))
    writeFileSync(path('mnist/train-images-idx3-ubyte.gz'), gzipSync(Uint8Array.of(...header(8, 2, 1, 2), 1, 2, 3, 4)))
    t.equal(readPictures(path('mnist')).labels, null, 'no labels beside')
    writeFileSync(path('mnist/train-labels-idx1-ubyte'), Uint8Array.of(...header(8, 2), 4, 0))
    const digits = readPictures(path('mnist'))
    t.deepEqual([digits.count, digits.height, digits.width, [...digits.pixels]], [2, 1, 2, [1, 2, 3, 4]])
    t.deepEqual(
      [[...(digits.labels ?? [])], digits.classes],
      [
        [4, 0],
        ['0', '1', '2', '3', '4'],
      ],
    )
    mkdirSync(path('cifar'))
    for (const name of ['data_batch_1.bin', 'train.bin', 'test_batch.bin'])
      writeFileSync(path(`cifar/${name}`), new Uint8Array(3073 * 2).fill(7))
    const colours = readPictures(path('cifar'))
    t.deepEqual([colours.count, colours.channels, colours.classes[7]], [4, 3, 'horse'])
    writeBars(path('bars'), 2)
    const bars = readPictures(path('bars'))
    t.deepEqual([bars.count, [...(bars.labels ?? [])], bars.classes], [4, [0, 0, 1, 1], ['above', 'below']])
    t.equal(readPictures(path('bars/above')).labels, null, 'one folder of PNG has no classes')

    const refused = (name: string, message: string): void =>
      t.throws(
        () => readPictures(path(name)),
        (error: unknown) => error instanceof InputError && error.message.includes(message),
        message,
      )
    mkdirSync(path('empty'))
    refused('empty', 'empty: expected MNIST or CIFAR-10 files, or PNG pictures')
    refused('absent', 'absent: no such file or folder')
    writeFileSync(path('mnist/train-labels-idx1-ubyte'), Uint8Array.of(...header(8, 1), 4))
    refused('mnist', 'expected 2 labels')
    writeFileSync(path('damaged.gz'), Uint8Array.of(0x1f, 0x8b, 1, 2, 3))
    refused('damaged.gz', 'damaged.gz: damaged gzip')
    writeFileSync(path('text'), 'no pictures')
    refused('text', 'text: expected records of 3073 bytes, found 11 bytes')
    writeFileSync(path('bars/above/9.png'), writePng({ ...bar(0, 1), height: 7, width: 28 }))
    refused('bars', 'above/9.png: expected 14 x 14 grey, as the pictures before, found 28 x 7 grey; see --size')
  }))
