import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { latestCheckpoint, readLatest } from '../../../pipelines/checkpoint.ts'
import { readFolder } from '../../../pipelines/folder.ts'
import { RunRecord } from '../../../pipelines/runRecord.ts'
import { openTokenizer } from '../../../pipelines/tokenizerFiles.ts'
import { fluxion, inTemporaryFolder, jsonLines, sampleText, spawnFluxion } from './harness.ts'

const text = sampleText(4000)
const tiny = ['--preset', 'tiny', '--batch', '4', '--json']

/** Everything of the last checkpoint that a run goes on from, as bytes. */
const lastState = (out: string): readonly string[] =>
  ['model.safetensors', 'optimizer.safetensors', 'state.json', 'config.json', 'tokenizer.json'].map(file =>
    readFileSync(`${latestCheckpoint(out)}/${file}`).toString('base64'),
  )

const setting = <T>(use: (path: (name: string) => string, train: Train) => Promise<T>): Promise<T> =>
  inTemporaryFolder(path => {
    writeFileSync(path('text.txt'), text)
    const train: Train = (out, more, inside) =>
      fluxion(['train', path('text.txt'), '--out', path(out), ...tiny, ...more], inside)
    return use(path, train)
  })
type Train = (out: string, more: readonly string[], inside?: { interruptAfter: number }) => ReturnType<typeof fluxion>

test('L11: training resumed equals training never stopped, bit for bit', async t =>
  setting(async (path, train) => {
    const options = [
      '--steps',
      '40',
      '--checkpoint-every',
      '10',
      '--evaluate-every',
      '15',
      '--dropout',
      '0.1',
      '--accumulate',
      '2',
    ]
    const whole = await train('whole', options)
    t.equal(whole.code, 0, whole.stderr)
    const half = await train('half', options, { interruptAfter: 23 })
    t.equal(half.code, 130)
    t.equal(jsonLines(half.stdout).length, 23, 'S10: no step after the interrupt')
    t.equal(readLatest(path('half'), RunRecord)?.step, 20, 'the checkpoint before it stays')
    const rest = await train('half', ['--resume'])
    t.equal(rest.code, 0, rest.stderr)
    t.deepEqual(jsonLines(rest.stdout), jsonLines(whole.stdout).slice(20), 'losses, learning rates, validations')
    t.deepEqual(lastState(path('half')), lastState(path('whole')), 'weights, moments, record')
    for (const file of ['model.safetensors', 'config.json', 'tokenizer.json', 'generation_config.json'])
      t.ok(readFileSync(path(`half/${file}`)).equals(readFileSync(path(`whole/${file}`))), file)
    await train('other', [...options, '--seed', '1'])
    t.notDeepEqual(lastState(path('other'))[0], lastState(path('whole'))[0], 'negative control: another seed')
  }))

test('train: a folder that opens as a model, with the dropout it was trained with and its tokenizer', async t =>
  setting(async (path, train) => {
    const { code, stdout } = await train('out', ['--steps', '10', '--dropout', '0.25', '--validation', '0.2'])
    t.equal(code, 0)
    t.equal(jsonLines(stdout).length, 10, 'a line a step')
    const { config } = readFolder(path('out'))
    t.ok(config.model_type === 'gpt2' && config.embd_pdrop === 0.25 && config.resid_pdrop === 0.25, 'dropout')
    const tokenizer = await openTokenizer(path('out'))
    t.equal(tokenizer.decode(tokenizer.encode(text)), text, 'T1: characters through the folder')
    t.equal(config.bos_token_id, tokenizer.encode('\n')[0], 'begins after the end of a line')
    const other = ['--vocabulary', '300', '--layers', '1', '--heads', '4', '--width', '16', '--context', '48']
    t.equal((await train('words', ['--steps', '10', ...other])).code, 0)
    const shaped = readFolder(path('words')).config
    t.ok(shaped.model_type === 'gpt2' && shaped.n_layer === 1 && shaped.n_embd === 16 && shaped.n_positions === 48)
    const words = await openTokenizer(path('words'))
    t.equal(words.decode(words.encode(text)), text, 'T1: byte-level BPE through the folder')
  }))

test('every command opens the folder of a run that has not ended: its latest checkpoint', async t =>
  inTemporaryFolder(async path => {
    writeFileSync(path('text.txt'), sampleText(2000))
    const train = ['train', path('text.txt'), '--out', path('run'), '--preset', 'tiny', '--steps', '30', '--json']
    const { code } = await fluxion([...train, '--checkpoint-every', '5'], { interruptAfter: 8 })
    t.equal(code, 130)
    t.notOk(existsSync(path('run/config.json')), 'no model yet')
    const commands = [
      ['generate', '--model', path('run'), '--tokens', '2'],
      ['evaluate', path('run'), path('text.txt')],
      ['tokenize', path('text.txt'), '--tokenizer', path('run')],
      ['inspect', path('run')],
      ['convert', 'precision', path('run'), '--to', 'F16', '--out', path('half')],
    ]
    for (const command of commands) {
      const { code, stderr } = await fluxion(command)
      t.equal(code, 0, `${command[0]} ${stderr}`)
    }
  }))

test('train --resume: contradictions are refused, more steps are not, and nothing is overwritten', async t =>
  setting(async (path, train) => {
    t.equal((await train('run', ['--steps', '10', '--resume'])).code, 0, 'begins where there is nothing to resume')
    const refused = async (more: readonly string[], message: string) => {
      const { code, stderr } = await train('run', more)
      t.equal(code, 2)
      t.ok(stderr.startsWith('fluxion: ') && stderr.includes(message), stderr.trim())
    }
    await refused([], 'go on with --resume')
    await refused(['--resume', '--learning-rate', '0.01'], '--learning-rate: expected 0.001')
    await refused(['--resume', '--seed', '3'], '--seed: expected 1337')
    await refused(['--resume', '--preset', 'shakespeare'], '--preset: expected tiny')
    await refused(['--resume', '--layers', '3'], 'n_layer: expected 2')
    await refused(['--resume', '--vocabulary', '300'], '--vocabulary: expected the preset')
    await refused(['--resume', '--engine', 'reference'], '--engine: expected wasm')
    await refused(['--resume', '--steps', '5', '--warmup', '5'], '--warmup: expected 10')
    const more = await train('run', ['--resume', '--steps', '12', '--learning-rate', '1e-3'])
    t.equal(jsonLines(more.stdout).length, 2, 'two more steps')
    writeFileSync(path('text.txt'), `${text}!`)
    await refused(['--resume'], 'text: expected the one of the run')
  }))

test('SIGKILL at any moment leaves a readable last checkpoint, and the run goes on from it', async t =>
  setting(async path => {
    const options = ['--steps', '16', '--checkpoint-every', '1', '--evaluate-every', '0']
    // All in processes of their own: those run the relaxed SIMD binary where there is one, this one need not.
    const args = (out: string) => ['train', path('text.txt'), '--out', path(out), ...tiny, ...options, '--resume']
    for (const delay of [0, 31]) {
      const { process: child, lines, end } = spawnFluxion(args('killed'))
      await lines(3)
      await new Promise(resolve => setTimeout(resolve, delay))
      child.kill('SIGKILL')
      t.equal((await end).code, null, 'killed')
      const step = readLatest(path('killed'), RunRecord)?.step ?? 0
      t.ok(step >= 3, `checkpoint of step ${step} is whole`)
      t.equal(readFolder(latestCheckpoint(path('killed')) ?? '').config.model_type, 'gpt2', 'and opens as a model')
    }
    t.equal((await spawnFluxion(args('killed')).end).code, 0)
    t.equal((await spawnFluxion(args('whole')).end).code, 0)
    t.deepEqual(lastState(path('killed')), lastState(path('whole')), 'L11')
  }))

test('SIGINT: the process stops at once with 130 and keeps the checkpoint', async t =>
  setting(async path => {
    const args = [
      'train',
      path('text.txt'),
      '--out',
      path('out'),
      ...tiny,
      '--steps',
      '1000000',
      '--checkpoint-every',
      '10',
    ]
    const { process: child, lines, end } = spawnFluxion(args)
    await lines(25)
    const sent = performance.now()
    child.kill('SIGINT')
    const { code, stderr } = await end
    t.equal(code, 130)
    t.notOk(stderr.includes('    at '), 'no stack')
    t.comment(`ended ${(performance.now() - sent).toFixed(0)} ms after the signal`)
    t.ok((readLatest(path('out'), RunRecord)?.step ?? 0) >= 20, 'checkpoint')
    const { code: generated } = await fluxion(['generate', '--model', path('out'), '--tokens', '2'])
    t.equal(generated, 0, 'an unfinished run opens by its last checkpoint')
  }))

test('a closed stdout ends quietly', async t =>
  setting(async path => {
    const args = ['train', path('text.txt'), '--out', path('out'), ...tiny, '--steps', '1000000']
    const { process: child, lines, end } = spawnFluxion(args)
    await lines(1)
    child.stdout?.destroy()
    const { code, stderr } = await end
    t.equal(code, 0)
    t.notOk(/EPIPE| {4}at /.test(stderr), 'no message')
  }))

test('the progress bar shows on a terminal only', async t =>
  setting(async (path, train) => {
    const quiet = await train('quiet', ['--steps', '10'])
    t.notOk(quiet.stderr.includes('tokens/s |'), 'not in a pipe')
    const args = ['train', path('text.txt'), '--out', path('shown'), ...tiny, '--steps', '10']
    const shown = await fluxion(args, { terminal: true })
    t.ok(/\d+% \| loss \d\.\d{3} \| [\d,]+ tokens\/s \| \d+:\d\d left/.test(shown.stderr), 'loss, speed and time left')
    t.equal(shown.stdout, quiet.stdout, 'stdout is the same')
  }))
