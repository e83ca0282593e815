/** Checkpoints that others made give what others give: llama2.c's own text, PyTorch's own logits and gradients, every spelling of GPT-2's names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type Test } from 'tape'
import { trainCharacterTokenizer } from '../../operators/token/character.ts'
import { tokenizerJson } from '../../operators/token/tokenizerJson.ts'
import { convertLlama2c } from '../../pipelines/convertLlama2c.ts'
import { openModel, writeFolder } from '../../pipelines/folder.ts'
import { type Generated, generate } from '../../pipelines/generate.ts'
import { everyLogits, type LanguageModel, nextLogits } from '../../pipelines/languageModel.ts'
import { modelOf } from '../../pipelines/model.ts'
import { type OpenedModel, TOKENIZER } from '../../pipelines/modelFiles.ts'
import { upload } from '../../pipelines/parameters.ts'
import { promptIds } from '../../pipelines/prompt.ts'
import { gradientOf } from '../../pipelines/trainer.ts'
import { decodeOrThrow, orThrow } from '../../src/codec/decode.ts'
import { Gpt2Config } from '../../src/codec/gpt2.ts'
import { decodeModelConfig } from '../../src/codec/model.ts'
import { context, type Weights } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { gpuEngine } from '../../src/engine/gpu/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { InputError } from '../../src/errors.ts'
import { gpt2Shapes } from '../../src/format/gpt2Names.ts'
import { f32, floats, type HostTensor, type HostTensors, sizeOf } from '../../src/format/hostTensor.ts'
import { pairsToHalves } from '../../src/format/rotaryLayout.ts'
import { hostTensors, readSafetensors } from '../../src/format/safetensors.ts'
import { initialValues, parametersOf } from '../../src/initialize.ts'
import { fold, key, normal } from '../../src/random.ts'
import { trainable } from '../../src/tensor/quantizedMatrix.ts'
import { scope, tensorsOf } from '../../src/tensor/scope.ts'
import { readNow, tensor } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { withShared } from '../shared.ts'
import { models, VOCABULARY } from './models.ts'
import { all, generationOptions, idsOf, inFolder, live, textOf } from './support.ts'

/** Logits of every position of one sequence. */
const logitsOf = (model: LanguageModel, parameters: Weights, ids: ArrayLike<number>): number[] =>
  scope(() => Array.from(readNow(everyLogits(model)(context(parameters), tokens(ids)).value)))

const greedily = (opened: OpenedModel, prompt: string, tokens: number): Promise<Generated[]> =>
  all(generate(opened, prompt, { tokens, greedy: true }))

const release = (parameters: Weights): void => {
  for (const x of tensorsOf(parameters)) x.release()
}

test('L12 stories260K: converted, opened and continued greedily, it tells what llama2.c tells', async t => {
  const binary = withShared(t, 'data/stories260K/stories260K.bin', path => path)
  const vocabulary = withShared(t, 'data/stories260K/tok512.bin', path => path)
  const golden = withShared(t, 'data/stories260K/expected_greedy_t0.txt', path => readFileSync(path, 'utf8'))
  if (binary === null || vocabulary === null || golden === null) return t.end()
  await inFolder(async root => {
    const folder = join(root, 'stories260K')
    await convertLlama2c(binary, vocabulary, folder)
    const runs: Generated[][] = []
    for (const engine of [wasmEngine(), referenceEngine()]) {
      const opened = await openModel(folder, engine)
      t.deepEqual([...promptIds(opened, '')], [1], `${engine.name}: an empty prompt is the token that begins a text`)
      const generated = await greedily(opened, '', 256)
      t.equal(generated.length, 256, `${engine.name}: 256 tokens`)
      // llama2.c prints a line's end after the text.
      t.equal(`${textOf(generated)}\n`, golden, `${engine.name}: the text`)
      t.equal(opened.tokenizer.decode(idsOf(generated)).trim(), golden.trim(), `${engine.name}: the ids decode to it`)
      release(opened.parameters)
      t.equal(live(engine), 0, `${engine.name}: S15 nothing is left`)
      runs.push(generated)
    }
    const [wasm = [], reference = []] = runs
    t.deepEqual(idsOf(wasm), idsOf(reference), 'the ids of both engines are equal')

    const engine = wasmEngine()
    const opened = await openModel(folder, engine)
    const name = 'model.layers.0.self_attn.q_proj.weight'
    const query = opened.parameters[name]
    if (query === undefined || opened.config.model_type !== 'llama') return t.fail(`no ${name}`)
    const { num_attention_heads: heads, head_dim: width, hidden_size: columns } = opened.config
    const turned = pairsToHalves(Float32Array.from(readNow(trainable(query, name))), heads, width, columns)
    const wrong = { ...opened, parameters: { ...opened.parameters, [name]: tensor(engine, query.shape, turned) } }
    const text = textOf(await greedily(wrong, '', 64))
    t.notOk(
      golden.startsWith(text),
      'negative control: with the query rows in another rotary layout it is another text',
    )
  })
  t.end()
})

const gpt2Config = decodeOrThrow(
  Gpt2Config,
  { vocab_size: 11, n_positions: 12, n_embd: 8, n_layer: 2, n_head: 2 },
  'config',
)
const WEIGHTS: HostTensors = new Map(
  Array.from(gpt2Shapes(gpt2Config), ([name, shape]) => [
    name,
    f32(
      shape,
      Float32Array.from(normal(fold(key(5), name), sizeOf(shape)), x => 0.4 * x),
    ),
  ]),
)
/** What old checkpoints carry beside the weights. */
const buffers = (): readonly (readonly [string, HostTensor])[] => {
  const length = gpt2Config.n_positions
  const mask = Uint8Array.from({ length: length ** 2 }, (_, i) => (i % length <= Math.floor(i / length) ? 1 : 0))
  return Array.from({ length: gpt2Config.n_layer }, (_, i) => [
    [`h.${i}.attn.bias`, { dtype: 'BOOL' as const, shape: [1, 1, length, length], data: mask }] as const,
    [`h.${i}.attn.masked_bias`, f32([], Float32Array.of(-1e4))] as const,
  ]).flat()
}

test('GPT-2 folders: one model under every spelling of its names', async t => {
  const tokenizer = trainCharacterTokenizer(['abcdefghijk'])
  const prefixed = (tensors: Iterable<readonly [string, HostTensor]>): HostTensors =>
    new Map(Array.from(tensors, ([name, x]) => [`transformer.${name}`, x]))
  const head = WEIGHTS.get('wte.weight')
  if (head === undefined) return t.end('no wte.weight')
  const spellings: Readonly<Record<string, HostTensors>> = {
    'bare names': WEIGHTS,
    'with transformer.': prefixed(WEIGHTS),
    'bare names, mask buffers': new Map([...WEIGHTS, ...buffers()]),
    'with transformer., mask buffers and the tied head': new Map([
      ...prefixed([...WEIGHTS, ...buffers()]),
      ['lm_head.weight', head],
    ]),
  }
  await inFolder(async root => {
    const write = (name: string, tensors: HostTensors): string => {
      const folder = join(root, name)
      writeFolder(folder, { config: gpt2Config, tensors, files: new Map([[TOKENIZER, tokenizerJson(tokenizer)]]) })
      return folder
    }
    const ids = [3, 1, 4, 1, 5, 9, 2, 6]
    const engine = wasmEngine()
    const expected = logitsOf(modelOf(gpt2Config), upload(WEIGHTS, engine), ids)
    for (const [name, tensors] of Object.entries(spellings)) {
      const opened = await openModel(write(name, tensors), engine)
      t.deepEqual(Object.keys(opened.parameters).sort(), [...WEIGHTS.keys()].sort(), `${name}: the same parameters`)
      t.deepEqual(logitsOf(opened.model, opened.parameters, ids), expected, `${name}: the same logits`)
    }
    const transposed = (name: string): HostTensors => {
      const x = WEIGHTS.get(name)
      const [rows = 0, columns = 0] = x?.shape ?? []
      const data = x === undefined ? new Float32Array() : floats(x)
      const turned = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? Number.NaN)
      return new Map([...WEIGHTS, [name, f32([columns, rows], turned)]])
    }
    try {
      await openModel(write('torch', transposed('h.0.attn.c_attn.weight')), engine)
      t.fail('a Linear layout was taken for Conv1D')
    } catch (error) {
      t.ok(
        error instanceof InputError && /c_attn.weight: expected shape \[8,24\], found \[24,8\]$/.test(error.message),
        'negative control: PyTorch Linear layout is refused where shapes tell',
      )
    }
    const square = await openModel(write('square', transposed('h.0.attn.c_proj.weight')), engine)
    t.notDeepEqual(logitsOf(square.model, square.parameters, ids), expected, 'negative control: Conv1D layout matters')
    const twice = write('twice', new Map([...WEIGHTS, ['transformer.wpe.weight', f32([12, 8], new Float32Array(96))]]))
    await openModel(twice, engine).then(
      () => t.fail('two spellings of one name were accepted'),
      error => t.ok(/wpe.weight: expected once/.test(String(error)), 'two spellings of one name are refused'),
    )
  })
  t.end()
})

/** Weights that make logits differ: first values leave those of tied models nearly all on the last token. */
const spread = (model: LanguageModel): HostTensors =>
  new Map(
    Array.from(parametersOf(everyLogits(model), tokens([0])), ([name, { shape, init }]) => [
      name,
      f32(
        shape,
        shape.length < 2
          ? Float32Array.from(initialValues(name, { shape, init }, key(0)))
          : Float32Array.from(normal(fold(key(4), name), sizeOf(shape)), x => 0.5 * x),
      ),
    ]),
  )

test('greedy tokens are the same on wasm, reference and gpu.js in modes cpu and webasm', async t => {
  const tokenizer = trainCharacterTokenizer(['abcdefghijk'])
  for (const [name, model] of Object.entries(models)) {
    const engines: Engine[] = [
      referenceEngine(),
      wasmEngine(),
      gpuEngine({ mode: 'cpu' }),
      gpuEngine({ mode: 'webasm' }),
    ]
    const parameters = spread(model)
    const runs: (readonly number[])[] = []
    for (const engine of engines) {
      const run = { model, parameters: upload(parameters, engine), tokenizer }
      const options = generationOptions({ tokens: 12, greedy: true, repetitionPenalty: 1.3 })
      runs.push(idsOf(await all(generate(run, Int32Array.of(1, 2, 3), options))))
      const logits = scope(() => nextLogits(model)(context(run.parameters), tokens([1, 2, 3])).value.shape)
      t.deepEqual(logits, [1, 1, VOCABULARY], `${name}, ${engine.name} ${engine.backend}`)
    }
    t.ok(new Set(runs[0]).size > 2, `${name}: ${runs[0]?.join(' ')}`)
    for (const [i, run] of runs.entries()) t.deepEqual(run, runs[0], `${name}: ${engines[i]?.backend} as reference`)
  }
  t.end()
})

/** Where `recorded` differs most from `found`, over the largest number recorded. */
const distance = (found: ArrayLike<number>, recorded: ArrayLike<number>): number => {
  if (found.length !== recorded.length) return Number.POSITIVE_INFINITY
  const [x, y] = [Array.from(found), Array.from(recorded)]
  return Math.max(...x.map((a, i) => Math.abs(a - (y[i] ?? Number.NaN)))) / Math.max(...y.map(Math.abs), 1e-6)
}

const torch = {
  gpt2: {
    model_type: 'gpt2',
    vocab_size: 13,
    n_positions: 8,
    n_embd: 8,
    n_layer: 2,
    n_head: 2,
    embd_pdrop: 0,
    resid_pdrop: 0,
  },
  llama: {
    model_type: 'llama',
    vocab_size: 13,
    hidden_size: 16,
    intermediate_size: 12,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 8,
    rms_norm_eps: 1e-5,
  },
}
/** f64 against f64, and the rounding of about a hundred dependent f32 steps. */
const tolerance: Readonly<Record<string, number>> = { reference: 1e-9, wasm: 100 * 2 ** -24 }

const recordedModels = (): ReadonlyMap<string, HostTensor> => {
  const path = fileURLToPath(new URL('../golden/torch_models.safetensors', import.meta.url))
  return hostTensors(orThrow(readSafetensors(new Uint8Array(readFileSync(path)), path)))
}
const inputs = tokens([1, 4, 0, 12, 7, 7, 3, 9, 2, 2, 11, 5], [2, 6])
const targets = tokens([4, 0, 12, 7, 7, 2, 9, 2, 2, 11, 5, 10], [2, 6])

const asTorch = (t: Test, name: keyof typeof torch, engine: Engine, file: HostTensors): void => {
  const under = (prefix: string): HostTensors =>
    new Map(
      Array.from(file)
        .filter(([path]) => path.startsWith(`${name}/${prefix}/`))
        .map(([path, x]) => [path.slice(`${name}/${prefix}/`.length), x]),
    )
  const numbers = (path: string): number[] => Array.from(file.get(`${name}/${path}`)?.data ?? [], Number)
  const model = everyLogits(modelOf(orThrow(decodeModelConfig(torch[name], name))))
  const limit = tolerance[engine.name] ?? 0
  scope(() => {
    const parameters = upload(under('parameters'), engine)
    const logits = readNow(model(context(parameters), inputs).value)
    const { loss, gradient } = gradientOf(model, parameters, { index: 0, inputs, targets }, key(0))
    const off = distance(logits, numbers('logits'))
    t.ok(off <= limit, `${name} on ${engine.name}: logits within ${off.toExponential(1)}`)
    const lossOff = distance(readNow(loss), numbers('loss'))
    t.ok(lossOff <= limit, `${name} on ${engine.name}: loss within ${lossOff.toExponential(1)}`)
    t.deepEqual(Object.keys(gradient).sort(), [...under('gradient').keys()].sort(), `${name}: a gradient for each`)
    const worst = Math.max(
      ...Object.entries(gradient).map(([path, g]) => distance(readNow(g), numbers(`gradient/${path}`))),
    )
    t.ok(worst <= limit, `${name} on ${engine.name}: gradients within ${worst.toExponential(1)}`)
    const [first = 0, ...rest] = numbers('logits')
    t.ok(distance(logits, [first + 1e-3, ...rest]) > limit, 'negative control: one logit off by 0.001 shows')
  })
}

test('golden: a tiny GPT-2 and a tiny Llama of plain PyTorch (test/golden/torch_models.py)', t => {
  const file = recordedModels()
  // PyTorch's dropout is off where it recorded; so is ours: rates are 0.
  for (const engine of [referenceEngine(), wasmEngine()]) {
    asTorch(t, 'gpt2', engine, file)
    asTorch(t, 'llama', engine, file)
  }
  t.end()
})
