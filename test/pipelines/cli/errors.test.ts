import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { NEVER } from 'rxjs'
import test from 'tape'
import { run } from '../../../pipelines/cli/run.ts'
import { writeBars } from './bars.ts'
import { fluxion, inTemporaryFolder, MAIN, sampleText, spawnFluxion } from './harness.ts'

/** A small text and a model trained on it. */
const setting = <T>(use: (path: (name: string) => string) => Promise<T>): Promise<T> =>
  inTemporaryFolder(async path => {
    writeFileSync(path('text.txt'), sampleText(2000))
    writeFileSync(path('empty.txt'), '')
    await fluxion(['train', path('text.txt'), '--out', path('model'), '--preset', 'tiny', '--steps', '10', '--json'])
    return use(path)
  })

/** Replaces text in a file of a copy of the model. */
const spoilt = (path: (name: string) => string, copy: string, file: string, from: RegExp, to: string): string => {
  cpSync(path('model'), path(copy), { recursive: true })
  const name = path(`${copy}/${file}`)
  writeFileSync(name, readFileSync(name, 'utf8').replace(from, to))
  return path(copy)
}

const isOneLine = (stderr: string): boolean => /^fluxion: [^\n]+\n$/.test(stderr)

test('bad input: one line that says what and where, exit code 2', async t =>
  setting(async path => {
    const generate = ['generate', '--model']
    cpSync(path('model'), path('cut'), { recursive: true })
    truncateSync(path('cut/model.safetensors'), 50_000)
    const wide = spoilt(path, 'wide', 'config.json', /"n_embd": 32/, '"n_embd": 64')
    const unknown = spoilt(path, 'unknown', 'generation_config.json', /"bos_token_id": \d+/, '"bos_token_id": 5000')
    const wordy = spoilt(path, 'wordy', 'config.json', /"n_head": 2/, '"n_head": "two"')
    const small = path('small')
    await fluxion(['quantize', path('model'), '--to', 'q8_0', '--out', small])
    const foreign = path('foreign')
    cpSync(small, foreign, { recursive: true })
    writeFileSync(
      path('foreign/config.json'),
      readFileSync(path('foreign/config.json'), 'utf8').replace('"q8_0"', '"gptq"'),
    )
    const cases: readonly (readonly [what: string, args: readonly string[], message: string])[] = [
      ['missing file', ['train', path('none.txt'), '--out', path('a')], `${path('none.txt')}: no such file or folder`],
      ['missing model', [...generate, path('none')], `${path('none')}: no such file or folder`],
      [
        'empty corpus',
        ['train', path('empty.txt'), '--out', path('a')],
        'empty.txt: expected text, found an empty file',
      ],
      ['truncated safetensors', [...generate, path('cut')], 'model.safetensors: '],
      ['wrong shapes', [...generate, wide], `${wide}: wte.weight: expected shape`],
      ['wrong field', [...generate, wordy], 'config.json: n_head: expected a positive integer, found "two"'],
      ['unknown token id', [...generate, unknown], 'bos_token_id: expected an id below'],
      ['unknown character', ['generate', 'ß', '--model', path('model')], 'no character "ß"'],
      ['long prompt', ['generate', 'a'.repeat(40), '--model', path('model')], "model's context of 32"],
      ['long block', ['train', path('text.txt'), '--out', path('a'), '--block', '65'], '--block: expected at most'],
      ['wrong --top-p', ['generate', '--top-p', '2'], '--top-p: expected a number in (0, 1], found 2'],
      [
        'wrong --out',
        ['train', path('text.txt'), '--out', path('text.txt')],
        'text.txt: expected a folder, found a file',
      ],
      [
        'folder below a file',
        ['train', path('text.txt'), '--out', path('text.txt/a'), '--preset', 'tiny'],
        'text.txt: expected a folder, found a file',
      ],
      ['huge batch', ['train', path('text.txt'), '--out', path('a'), '--batch', '1e12'], '--batch: expected at most'],
      [
        'tiny vocabulary',
        ['train', path('text.txt'), '--out', path('a'), '--vocabulary', '256'],
        '--vocabulary: expected "characters" or an integer from 257 to 2097152, found 256',
      ],
      ['two models', ['train', path('text.txt'), '--out', path('model')], 'holds a training run already'],
      [
        'quantizing to nothing known',
        ['quantize', path('model'), '--to', 'q4', '--out', path('a')],
        '--to: expected "q8_0"',
      ],
      [
        'quantizing onto a folder',
        ['quantize', path('model'), '--to', 'q8_0', '--out', path('cut')],
        '--out: expected a folder that is not there yet',
      ],
      [
        'quantizing with no text',
        ['quantize', path('model'), '--to', 'q8_0', '--out', path('a'), '--text', path('none.txt')],
        'none.txt: no such file or folder',
      ],
      [
        'quantizing, and windows longer than the context',
        [
          ...['quantize', path('model'), '--to', 'q8_0', '--out', path('a'), '--text', path('text.txt')],
          '--block',
          '9999',
        ],
        "--block: expected at most the model's context",
      ],
      [
        'quantizing, and its own texts longer than the context',
        ['quantize', path('model'), '--to', 'q8_0', '--block', '33'],
        "--block: expected at most the model's context of 32",
      ],
      [
        'quantizing twice',
        ['quantize', small, '--to', 'f16', '--out', path('a')],
        'quantization_config: expected a model',
      ],
      ['another quantization', [...generate, foreign], 'quantization_config.quant_method: expected "q8_0"'],
      ['empty text', ['evaluate', path('model'), path('empty.txt')], 'empty.txt: expected text'],
      ['no tokenizer', ['tokenize', path('text.txt'), '--tokenizer', path('none')], path('none')],
      [
        'no llama2.c',
        ['convert', 'llama2c', path('text.txt'), path('text.txt'), '--out', path('a')],
        'text.txt: header',
      ],
    ]
    for (const [what, args, message] of cases) {
      const { code, stdout, stderr } = await fluxion(args)
      t.equal(code, 2, `${what}: exit code`)
      t.ok(isOneLine(stderr) && stderr.includes(message), `${what}: ${stderr.trim()}`)
      t.equal(stdout, '', `${what}: no result`)
    }
    const { code } = await fluxion([...generate, path('model'), '--tokens', '1'])
    t.equal(code, 0, 'negative control: the model as it was')
  }))

test('a loss that is not a number ends training with exit code 2 and no checkpoint of it', async t =>
  setting(async path => {
    const args = ['train', path('text.txt'), '--out', path('a'), '--preset', 'tiny', '--learning-rate', '1e6']
    const { code, stderr } = await fluxion(args)
    t.equal(code, 2)
    t.ok(/fluxion: step \d+: the loss is [^\n]+\n$/.test(stderr), stderr.trim().split('\n').at(-1))
  }))

/** Flags of numbers of texts or pictures that exist at once. */
const TOO_MANY = new Set(['generate samples', 'diffuse count', 'train-diffusion batch', 'train-autoencoder batch'])

test('every flag of a number names itself in its error', async t => {
  const flags: Readonly<Record<string, readonly string[]>> = {
    generate: ['tokens', 'samples', 'temperature', 'top-k', 'top-p', 'min-p', 'repetition-penalty', 'seed'],
    train: [
      ...['steps', 'batch', 'block', 'accumulate', 'learning-rate', 'minimum-learning-rate', 'warmup', 'weight-decay'],
      ...['beta1', 'beta2', 'epsilon', 'clip', 'dropout', 'validation', 'evaluate-every', 'checkpoint-every', 'keep'],
      ...['seed', 'vocabulary', 'preset', 'engine', 'layers', 'heads', 'width', 'context'],
    ],
    evaluate: ['block', 'seed'],
    quantize: ['block', 'seed'],
    diffuse: ['steps', 'eta', 'strength', 'repeats', 'seed', 'count', 'zoom', 'sampler', 'levels'],
    'train-diffusion': ['batch', 'weighting', 'average-decay', 'sample-every', 'drop-labels', 'preset'],
    'train-autoencoder': ['batch', 'divergence', 'sample-every', 'preset'],
  }
  await setting(async path => {
    const operands: Readonly<Record<string, readonly string[]>> = {
      generate: [],
      train: [path('text.txt'), '--out', path('a')],
      evaluate: [path('model'), path('text.txt')],
      quantize: [path('model'), '--to', 'q8_0', '--out', path('a'), '--text', path('text.txt')],
      diffuse: [],
      'train-diffusion': [path('bars'), '--out', path('a')],
      'train-autoencoder': [path('bars'), '--out', path('a')],
    }
    writeBars(path('bars'), 1)
    for (const [command, names] of Object.entries(flags))
      for (const name of names)
        for (const value of ['-1', 'four', '', ...(TOO_MANY.has(`${command} ${name}`) ? ['1e12'] : [])]) {
          const { code, stderr } = await fluxion([command, ...(operands[command] ?? []), `--${name}`, value])
          const said = stderr.startsWith(`fluxion: --${name}: expected `) && isOneLine(stderr)
          if (code !== 2 || !said) t.fail(`${command} --${name} ${JSON.stringify(value)}: ${code} ${stderr}`)
        }
    t.pass('all of them')
  })
})

test('what was not given yields to what was: few steps shorten the warm-up, a low rate lowers its minimum', async t =>
  setting(async path => {
    const train = ['train', path('text.txt'), '--preset', 'tiny', '--json', '--steps', '3']
    const { code, stdout } = await fluxion([...train, '--out', path('a'), '--learning-rate', '1e-5'])
    t.equal(code, 0)
    t.ok(stdout.trim().split('\n').length === 3, 'three steps')
    const told = await fluxion([...train, '--out', path('b'), '--warmup', '10'])
    t.equal(told.code, 2, 'negative control: a warm-up that was asked for is held to the steps')
  }))

test('stdout that cannot be written: one line, exit code 2', async t => {
  if (!existsSync('/dev/full')) return t.comment('no /dev/full here')
  await setting(async path => {
    const end = spawnSync(
      process.execPath,
      ['--import', 'tsx', MAIN, 'generate', '--model', path('model'), '--tokens', '20'],
      {
        stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
        encoding: 'utf8',
      },
    )
    t.equal(end.status, 2)
    t.ok(/^fluxion: stdout: ENOSPC[^\n]*$/m.test(end.stderr) && !end.stderr.includes('    at '), end.stderr.trim())
  })
})

test('unknown commands and flags, missing operands: exit code 2', async t => {
  const cases = [
    ['nothing'],
    ['generate', '--nothing'],
    ['generate', 'a', 'b'],
    ['train'],
    ['convert', 'x'],
    ['tokenize', 'a'],
    ['generate', '--tokens'],
  ]
  for (const args of cases) {
    const { code, stderr } = await fluxion(args)
    t.equal(code, 2, args.join(' '))
    t.ok(isOneLine(stderr), stderr.trim())
  }
})

test('--help: every command has one, on stdout, with --json, --seed and --engine', async t => {
  const commands = [
    ['generate'],
    ['train'],
    ['evaluate'],
    ['tokenize'],
    ['convert', 'llama2c'],
    ['convert', 'precision'],
    ['inspect'],
  ]
  for (const command of commands) {
    const { code, stdout, stderr } = await fluxion([...command, '--help'])
    t.equal(code, 0)
    t.ok(['--json', '--seed', '--engine'].every(flag => stdout.includes(flag)) && stderr === '', command.join(' '))
  }
  const { code, stdout } = await fluxion(['--help'])
  t.ok(code === 0 && commands.every(([name = '']) => stdout.includes(name)), 'all commands')
})

test('the process itself: exit code and one line', async t => {
  const { code, stdout, stderr } = await spawnFluxion(['generate', '--top-p', '2']).end
  t.deepEqual([code, stdout], [2, ''])
  t.equal(stderr, 'fluxion: --top-p: expected a number in (0, 1], found 2\n')
})

test('a bug is no bad input: exit code 1, and its stack stays', async t => {
  const broken = new Writable()
  broken.write = () => {
    throw new TypeError('a bug')
  }
  let shown = ''
  const stderr = new Writable({
    write: (chunk, _, done) => {
      shown += String(chunk)
      done()
    },
  })
  t.equal(await run(['--help'], { stdout: broken, stderr, interrupt$: NEVER }), 1)
  t.ok(/^TypeError: a bug\n {4}at /.test(shown), 'stack')
})
