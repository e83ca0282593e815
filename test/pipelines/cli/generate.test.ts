import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as t from 'io-ts'
import test from 'tape'
import { withShared } from '../../shared.ts'
import { fluxion, inTemporaryFolder, jsonLines, sampleText } from './harness.ts'

const Line = t.strict({ token: t.number, text: t.string, logProbability: t.number, position: t.number })

/** A model of two minutes' fame: two layers, a few steps. */
const trained = async (path: (name: string) => string): Promise<string> => {
  writeFileSync(path('text.txt'), sampleText(3000))
  await fluxion(['train', path('text.txt'), '--out', path('model'), '--preset', 'tiny', '--steps', '12', '--json'])
  return path('model')
}

test('generate: the same seed prints the same text, another seed another', async t =>
  inTemporaryFolder(async path => {
    const model = await trained(path)
    const print = (...more: string[]) => fluxion(['generate', 'the ', '--model', model, '--tokens', '20', ...more])
    const first = await print('--seed', '7')
    t.equal(first.code, 0)
    t.ok(first.stdout.endsWith('\n'), 'ends with a newline')
    t.equal(first.stdout.length, 21, '20 characters and the newline')
    t.equal((await print('--seed', '7')).stdout, first.stdout, 'S13: again')
    t.notEqual((await print('--seed', '8')).stdout, first.stdout, 'negative control')
    t.ok(/^engine wasm .*\n20 tokens, [\d.]+ tokens\/s\n$/.test(first.stderr), 'engine and speed on stderr')
  }))

test('generate: says when the context ends a text before its tokens do', async t =>
  inTemporaryFolder(async path => {
    const model = await trained(path)
    const notes = async (tokens: string) =>
      (await fluxion(['generate', 'the ', '--model', model, '--tokens', tokens])).stderr
    t.ok(/\n29 tokens, .*\nstopped at the model's context of 32 positions\n$/.test(await notes('100')), 'cut short')
    t.notOk((await notes('29')).includes('stopped'), 'negative control: as many as asked for')
  }))

test('generate --json: a token a line, the texts joined are the text', async t =>
  inTemporaryFolder(async path => {
    const model = await trained(path)
    const args = ['generate', '--model', model, '--tokens', '15', '--temperature', '1.5', '--top-k', '9']
    const lines = jsonLines((await fluxion([...args, '--json'])).stdout)
    t.equal(lines.length, 15)
    t.ok(lines.every(Line.is), 'fields')
    const read = lines.filter(Line.is)
    t.deepEqual(
      read.map(line => line.position),
      Array.from(read, (_, i) => i + 1),
      'positions follow the begin token',
    )
    t.ok(
      read.every(line => line.logProbability <= 0),
      'log-probabilities',
    )
    t.equal(`${read.map(line => line.text).join('')}\n`, (await fluxion(args)).stdout, 'the same text')
  }))

const SampleLine = t.strict({ sample: t.number, ...Line.type.props, last: t.boolean })

test('generate --samples: a block a text, as it ends; with --json a token a line', async t =>
  inTemporaryFolder(async path => {
    const model = await trained(path)
    const args = ['generate', 'the ', '--model', model, '--tokens', '12', '--seed', '7', '--stop', 'a']
    const { code, stdout, stderr } = await fluxion([...args, '--samples', '5'])
    t.equal(code, 0, stderr)
    const lines = jsonLines((await fluxion([...args, '--samples', '5', '--json'])).stdout)
    t.ok(lines.every(SampleLine.is), 'fields')
    const read = lines.filter(SampleLine.is)
    const textOf = (sample: number) => read.flatMap(line => (line.sample === sample ? [line.text] : [])).join('')
    const ended = read.filter(({ last }) => last).map(({ sample }) => sample)
    t.deepEqual(ended.toSorted(), [0, 1, 2, 3, 4], 'each ends once')
    t.equal(
      stdout,
      ended.map(sample => `--- sample ${sample} ---\n${textOf(sample)}\n`).join(''),
      'blocks in that order',
    )
    t.ok(stderr.includes(`\n${read.length} tokens, `), 'tokens of all')
    const fewer = jsonLines((await fluxion([...args, '--samples', '2', '--json'])).stdout)
    t.deepEqual(
      fewer,
      read.filter(({ sample }) => sample < 2),
      'S13: however many are beside it',
    )
    t.equal(new Set([0, 1, 2, 3, 4].map(textOf)).size, 5, 'negative control: five texts')
    const long = await fluxion(['generate', 'the ', '--model', model, '--samples', '2', '--tokens', '100'])
    t.ok(/\n58 tokens, .*\nstopped at the model's context of 32 positions\n$/.test(long.stderr), long.stderr)
    const cut = await fluxion(['generate', '--model', model, '--samples', '3', '--json'], { interruptAfter: 4 })
    t.deepEqual([cut.code, jsonLines(cut.stdout).length], [130, 4], 'S10: interrupted within a step')
  }))

test('generate: options of generation_config.json hold under the flags', async t =>
  inTemporaryFolder(async path => {
    const model = await trained(path)
    const print = async (...more: string[]) => (await fluxion(['generate', 'a', '--model', model, ...more])).stdout
    const greedy = await print('--greedy', '--tokens', '8')
    writeFileSync(`${model}/generation_config.json`, JSON.stringify({ do_sample: false, max_new_tokens: 8 }))
    t.equal(await print(), greedy, 'its defaults')
    t.equal((await print('--tokens', '3')).length, 4, 'a flag goes over them')
    t.notEqual(await print('--no-greedy', '--temperature', '5'), greedy, '--no-greedy')
    const [first = ''] = greedy
    t.equal(await print('--stop', 'no such text', '--stop', first), '\n', 'each --stop counts')
  }))

test('generate: the same tokens, greedily, on wasm, reference and gpu', async t =>
  inTemporaryFolder(async path => {
    const model = await trained(path)
    const print = async (engine: string) =>
      (await fluxion(['generate', 'on', '--model', model, '--tokens', '12', '--greedy', '--engine', engine])).stdout
    const wasm = await print('wasm')
    t.equal(await print('reference'), wasm)
    t.equal(await print('gpu'), wasm)
  }))

test('generate: an interrupt stops at that token with exit code 130', async t =>
  inTemporaryFolder(async path => {
    const args = ['generate', '--model', await trained(path), '--json']
    const { code, stdout } = await fluxion(args, { interruptAfter: 3 })
    t.equal(code, 130)
    t.equal(jsonLines(stdout).length, 3, 'S10: no token after it')
  }))

test('L12: convert llama2c and generate give the golden text of stories260K', async t =>
  inTemporaryFolder(async path => {
    const golden = withShared(t, 'data/stories260K', folder => folder)
    if (golden === null) return
    const out = path('stories')
    const converted = await fluxion([
      'convert',
      'llama2c',
      `${golden}/stories260K.bin`,
      `${golden}/tok512.bin`,
      '--out',
      out,
    ])
    t.equal(converted.code, 0, converted.stderr)
    const { stdout } = await fluxion(['generate', '', '--model', out, '--greedy', '--tokens', '256'])
    t.equal(stdout, readFileSync(`${golden}/expected_greedy_t0.txt`, 'utf8'))
    const cut = readFileSync(`${golden}/stories260K.bin`).subarray(0, 1000)
    mkdirSync(path('cut'))
    writeFileSync(path('cut/model.bin'), cut)
    const failed = await fluxion([
      'convert',
      'llama2c',
      path('cut/model.bin'),
      `${golden}/tok512.bin`,
      '--out',
      path('x'),
    ])
    t.equal(failed.code, 2)
    t.ok(failed.stderr.includes('model.bin: expected'), failed.stderr)
  }))
