/** Models in fewer bits: folders, files that are not what they should be, what decoding gives, and what it costs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { lastValueFrom } from 'rxjs'
import test from 'tape'
import { convertLlama2c } from '../../pipelines/convertLlama2c.ts'
import { convertPrecision } from '../../pipelines/convertPrecision.ts'
import { decoder } from '../../pipelines/decoder.ts'
import { evaluate } from '../../pipelines/evaluate.ts'
import { openModel, readFolder, writeFolder } from '../../pipelines/folder.ts'
import { generate } from '../../pipelines/generate.ts'
import { inspect } from '../../pipelines/inspect.ts'
import { everyLogits } from '../../pipelines/languageModel.ts'
import { modelOf } from '../../pipelines/model.ts'
import type { OpenedModel } from '../../pipelines/modelFiles.ts'
import { upload, uploadWeights } from '../../pipelines/parameters.ts'
import { quantize } from '../../pipelines/quantize.ts'
import { quantizeFolder } from '../../pipelines/quantizeFolder.ts'
import { orThrow } from '../../src/codec/decode.ts'
import { decodeModelConfig, type ModelConfig } from '../../src/codec/model.ts'
import { context } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { gpuEngine } from '../../src/engine/gpu/engine.ts'
import { referenceEngine } from '../../src/engine/reference/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import { InputError } from '../../src/errors.ts'
import {
  BYTES,
  f32,
  floats,
  type HostTensor,
  type HostTensors,
  hostTensor,
  sizeOf,
} from '../../src/format/hostTensor.ts'
import { modelTensors } from '../../src/format/modelTensors.ts'
import { matricesOf, scalesName, storedMatrices, withoutBlocks } from '../../src/format/quantized/modelMatrices.ts'
import { initialValues, parametersOf } from '../../src/initialize.ts'
import { key } from '../../src/random.ts'
import { scope, tensorsOf } from '../../src/tensor/scope.ts'
import { readNow } from '../../src/tensor/tensor.ts'
import { tokens } from '../../src/tensor/tokens.ts'
import { holds } from '../property.ts'
import { withShared } from '../shared.ts'
import { all, idsOf, inFolder, live, textOf } from './support.ts'

const gpt2 = { model_type: 'gpt2', vocab_size: 21, n_positions: 24, n_embd: 40, n_layer: 2, n_head: 4 }
const llama = {
  ...{ model_type: 'llama', vocab_size: 21, hidden_size: 40, intermediate_size: 52, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 24, tie_word_embeddings: true },
}
const configs: Readonly<Record<string, ModelConfig>> = {
  gpt2: orThrow(decodeModelConfig({ ...gpt2, initializer_range: 0.3 }, 'config')),
  'gpt2, untied': orThrow(decodeModelConfig({ ...gpt2, tie_word_embeddings: false }, 'config')),
  llama: orThrow(decodeModelConfig(llama, 'config')),
  'llama, untied': orThrow(decodeModelConfig({ ...llama, tie_word_embeddings: false }, 'config')),
}

const weightsOf = (config: ModelConfig): HostTensors =>
  new Map(
    Array.from(parametersOf(everyLogits(modelOf(config)), tokens([0])), ([name, spec]) => [
      name,
      f32(spec.shape, Float32Array.from(initialValues(name, spec, key(7)))),
    ]),
  )

const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]

const logitsOf = (config: ModelConfig, tensors: HostTensors, engine: Engine): number[] =>
  scope(() => {
    const parameters = uploadWeights(config, tensors, engine)
    return Array.from(readNow(everyLogits(modelOf(config))(context(parameters), tokens(ids)).value))
  })

const furthest = (x: readonly number[], y: readonly number[]): number =>
  x.reduce((most, a, i) => Math.max(most, Math.abs(a - (y[i] ?? Number.NaN))), x.length === y.length ? 0 : Infinity)

test('quantized folders: written and read back, the same matrices, everything else as it was', t =>
  inFolder(root => {
    for (const [name, config] of Object.entries(configs)) {
      const tensors = weightsOf(config)
      writeFolder(join(root, name), { config, tensors })
      const out = join(root, `${name} q8_0`)
      const { before, after } = quantizeFolder(join(root, name), 'q8_0', out)
      t.ok(after < before / 2, `${name}: ${before} bytes in ${after}`)
      const read = readFolder(out)
      t.deepEqual(read.config, { ...config, quantization_config: { quant_method: 'q8_0', block_size: 32 } }, 'config')
      t.deepEqual(read.tensors, quantize({ config, tensors }, 'q8_0').tensors, 'tensors')
      t.deepEqual(
        Array.from(storedMatrices(read.config, read.tensors).keys()).sort(),
        Array.from(tensors)
          .filter(([path, { shape }]) => shape.length === 2 && path !== 'wpe.weight')
          .map(([path]) => path)
          .sort(),
        'all matrices but positions are in blocks',
      )
      const plain = withoutBlocks(read.config, read.tensors)
      t.deepEqual([...plain.keys()].sort(), [...tensors.keys()].sort(), 'widened: the names of before')
      for (const [path, tensor] of tensors) {
        const [was, is] = [floats(tensor), floats(plain.get(path) ?? tensor)]
        const far = was.reduce((most, w, i) => Math.max(most, Math.abs(w - is[i])), 0)
        const largest = was.reduce((most, w) => Math.max(most, Math.abs(w)), 0)
        // Half a step of a block, which is at most the largest weight over 127.
        if (!(far <= (largest / 127) * 0.51)) t.fail(`${path} moved by ${far}`)
      }
      t.throws(() => quantizeFolder(out, 'f16', join(root, 'again')), /q8_0: quantization_config: expected a model/)
      const wide = join(root, `${name} F32`)
      convertPrecision(out, 'F32', wide)
      t.deepEqual(readFolder(wide).tensors, plain, 'convert precision widens them')
    }
  }))

test('quantized models: all engines compute the same logits, near those of f32 weights', t => {
  for (const [name, config] of Object.entries(configs)) {
    const tensors = weightsOf(config)
    const full = logitsOf(config, tensors, referenceEngine())
    const spread = Math.max(...full) - Math.min(...full)
    for (const to of ['q8_0', 'f16'] as const) {
      const small = quantize({ config, tensors }, to)
      const expected = logitsOf(small.config, small.tensors, referenceEngine())
      for (const engine of [wasmEngine(), wasmEngine({ relaxed: false }), gpuEngine({ mode: 'cpu' })]) {
        const found = logitsOf(small.config, small.tensors, engine)
        // A step of an activation that falls the other way moves a logit by a fraction of what quantizing it moved.
        t.ok(furthest(found, expected) < 2e-3 * spread, `${name}, ${to}: ${engine.name}`)
        t.equal(live(engine), 0, 'S15 nothing is left')
      }
      t.ok(furthest(expected, full) < (to === 'f16' ? 1e-3 : 0.05) * spread, `${name}, ${to}: near f32`)
      t.notDeepEqual(expected, full, 'negative control: not the same')
    }
  }
  t.end()
})

test('L4 quantized models: prefill in chunks and token by token have the bits of one pass', t => {
  const engine = wasmEngine({ threads: 2, splitFrom: 0 })
  for (const [name, config] of Object.entries(configs))
    for (const to of ['q8_0', 'f16'] as const) {
      const small = quantize({ config, tensors: weightsOf(config) }, to)
      const parameters = uploadWeights(small.config, small.tensors, engine)
      const machine = decoder(everyLogits(modelOf(config)), { parameters, capacity: ids.length })
      const inChunks = (lengths: readonly number[]): number[] =>
        scope(() => {
          let [state, from] = [machine.init(), 0]
          return lengths.flatMap(length => {
            const [logits, next] = machine.step(state, tokens(ids.slice(from, from + length)))
            state = next
            from += length
            return Array.from(readNow(logits))
          })
        })
      const whole = inChunks([ids.length])
      t.deepEqual(inChunks([4, 1, 3, 2]), whole, `${name}, ${to}: chunks`)
      t.deepEqual(inChunks(ids.map(() => 1)), whole, `${name}, ${to}: token by token`)
      t.notDeepEqual(inChunks([9]), whole, 'negative control: another length is other numbers')
      for (const x of tensorsOf(parameters)) x.release()
    }
  t.end()
})

test('quantized models are not trained: a typed error that says what to do', t => {
  const [, config] = Object.entries(configs)[0] ?? []
  if (config === undefined) return t.end('no model')
  const engine = wasmEngine()
  for (const to of ['q8_0', 'f16'] as const) {
    const small = quantize({ config, tensors: weightsOf(config) }, to)
    scope(() => {
      const pulled = everyLogits(modelOf(config))(
        context(uploadWeights(small.config, small.tensors, engine)),
        tokens(ids),
      )
      t.throws(
        () => pulled.pullback(pulled.value),
        /weights that can be trained, found (q8_0|f16)/,
        `${to}: a pullback`,
      )
    })
    if (to === 'q8_0') t.throws(() => upload(small.tensors, engine), InputError, 'parameters of a trainer')
    else t.doesNotThrow(() => scope(() => upload(small.tensors, engine)), 'negative control: halves are widened')
  }
  t.end()
})

test('inspect: memory and bytes a token of matrices in fewer bits', t => {
  for (const config of Object.values(configs)) {
    const tensors = weightsOf(config)
    const full = inspect(config)
    for (const [to, bytes] of [['q8_0', 34 / 32] as const, ['f16', 2] as const]) {
      const small = quantize({ config, tensors }, to)
      const { memory, bytes: moved, parameters, flops } = inspect(small.config, small.tensors)
      let [matrices, padded] = [0, 0]
      for (const { shape, innerAxis } of matricesOf(config).values()) {
        const [inner, columns] = innerAxis === 0 ? shape : [shape[1], shape[0]]
        matrices += inner * columns
        padded += Math.ceil(columns / 32) * 32 * Math.ceil(inner / 32) * 32
      }
      t.equal(parameters, full.parameters, 'as many parameters')
      const least = full.memory.parameters - 4 * matrices + matrices * bytes
      t.ok(memory.parameters >= least, `${to}: ${memory.parameters} bytes are not too few`)
      t.ok(memory.parameters <= least + (padded - matrices) * bytes, 'nor too many')
      t.deepEqual(flops, full.flops, 'as many FLOPs')
      t.ok(moved.decodeLast < full.bytes.decodeLast, 'fewer bytes')
      const engine = wasmEngine()
      const parametersHeld = uploadWeights(small.config, small.tensors, engine)
      t.equal(engine.counter.liveBytes, memory.parameters, 'what an engine holds')
      for (const x of tensorsOf(parametersHeld)) x.release()
    }
  }
  t.end()
})

/** A checkpoint with some tensors replaced; null takes one away. */
const changed = (tensors: HostTensors, change: Readonly<Record<string, HostTensor | null>>): HostTensors =>
  new Map(
    [...tensors, ...Object.entries(change)].flatMap(([name, tensor]) =>
      tensor === null || change[name] === null ? [] : [[name, tensor]],
    ),
  )

test('quantized files: what does not fit is an InputError that names the tensor', t => {
  const base = configs.gpt2
  if (base === undefined) return t.end('no model')
  const { config, tensors } = quantize({ config: base, tensors: weightsOf(base) }, 'q8_0')
  const name = 'h.0.attn.c_attn.weight'
  const scales = scalesName(name)
  const halves = (shape: readonly number[], value = 0x1c00): HostTensor => ({
    ...{ dtype: 'F16', shape },
    data: new Uint16Array(sizeOf(shape)).fill(value),
  })
  const cases: readonly (readonly [ModelConfig, HostTensors, RegExp])[] = [
    [
      config,
      changed(tensors, { [scales]: null }),
      /^m: h.0.attn.c_attn.weight.scales: expected F16 \[2,120\], found none$/,
    ],
    [config, changed(tensors, { [scales]: halves([40, 4]) }), /scales: expected F16 \[2,120\], found F16 \[40,4\]$/],
    [config, changed(tensors, { [scales]: f32([2, 120], new Float32Array(240)) }), /expected F16 \[2,120\], found F32/],
    [config, changed(tensors, { [scales]: halves([2, 120], 0x7c00) }), /scales: expected finite numbers/],
    [config, changed(tensors, { [scales]: halves([2, 120], 0xfe00) }), /scales: expected finite numbers/],
    [config, changed(tensors, { 'ln_f.weight.scales': halves([2]) }), /ln_f.weight.scales: expected no such tensor/],
    [
      config,
      changed(tensors, { 'wpe.weight': { dtype: 'I8', shape: [24, 40], data: new Int8Array(960) } }),
      /^m: wpe.weight: expected F64 or .*, found I8$/,
    ],
    [config, changed(tensors, { [name]: f32([40, 120], new Float32Array(4800)) }), /scales: expected no such tensor/],
    [{ ...config, quantization_config: null }, tensors, /^m: wte.weight: expected F64 or .*, found I8$/],
  ]
  for (const [c, x, message] of cases) {
    const result = modelTensors(c, x, 'm')
    if (E.isRight(result)) t.fail(`accepted: ${message}`)
    else t.ok(message.test(result.left.message), result.left.message)
  }
  t.ok(E.isRight(modelTensors(config, tensors, 'm')), 'negative control: the file as it was')
  const spelled = new Map(Array.from(tensors, ([path, tensor]) => [`transformer.${path}`, tensor]))
  t.ok(E.isRight(modelTensors(config, spelled, 'm')), 'names with a prefix, those of scales too')

  const total = (value: unknown) => {
    const result = decodeModelConfig({ ...gpt2, quantization_config: value }, 'c')
    return E.isRight(result)
      ? result.right.quantization_config === null || value !== null
      : result.left instanceof InputError
  }
  holds(t, 'any quantization_config gives a value or an InputError', fc.property(fc.anything(), total))
  const foreign = decodeModelConfig({ ...gpt2, quantization_config: { quant_method: 'gptq', bits: 4 } }, 'c')
  t.ok(
    E.isLeft(foreign) && /quantization_config.quant_method: expected "q8_0"/.test(foreign.left.message),
    'other methods are refused by name',
  )
  const dtypes = fc.constantFrom<HostTensor['dtype']>('F16', 'I8', 'U8', 'BF16')
  holds(
    t,
    'any types and shapes of a matrix and its scales give a model or an InputError',
    fc.property(fc.array(fc.tuple(fc.constantFrom(name, scales), dtypes, fc.boolean()), { maxLength: 2 }), drawn => {
      const change: Record<string, HostTensor> = {}
      for (const [path, dtype, right] of drawn) {
        const shape = right ? (tensors.get(path)?.shape ?? []) : [3, 5]
        change[path] = hostTensor(dtype, shape, new Uint8Array(sizeOf(shape) * BYTES[dtype]))
      }
      const result = modelTensors(config, changed(tensors, change), 'm')
      if (E.isLeft(result)) return result.left instanceof InputError
      return logitsOf(config, result.right, wasmEngine()).every(Number.isFinite)
    }),
    { numRuns: 60 },
  )
  t.end()
})

const perplexity = async ({ model, parameters }: OpenedModel, text: Int32Array, block: number): Promise<number> => {
  const windows = { batch: 8, block }
  return (await lastValueFrom(evaluate(everyLogits(model), parameters, text, windows))).perplexity
}

test('the bundled model in q8_0: a perplexity that is hardly another', async t => {
  const model = fileURLToPath(new URL('../../models/shakespeare', import.meta.url))
  const corpus = withShared(t, 'data/corpora/tinyshakespeare.txt', path => readFileSync(path, 'utf8'))
  if (corpus === null) return t.end()
  await inFolder(async root => {
    const out = join(root, 'q8_0')
    const { before, after } = quantizeFolder(model, 'q8_0', out)
    t.ok(after / before < 0.57, `${before} bytes in ${after}`)
    const engine = wasmEngine()
    const [full, small] = [await openModel(model, engine), await openModel(out, engine)]
    const text = full.tokenizer.encode(corpus.slice(-12_000)).subarray(0, 16 * 256 + 1)
    const [was, is] = [await perplexity(full, text, 256), await perplexity(small, text, 256)]
    t.ok(Math.abs(is / was - 1) < 0.005, `perplexity ${was.toFixed(3)} before, ${is.toFixed(3)} after`)
    const shown = textOf(await all(generate(small, 'ROMEO:', { tokens: 40, greedy: true })))
    t.ok(/\n[A-Z]+:\n/.test(shown) || /[a-z]+ [a-z]+/.test(shown), `greedy: ${JSON.stringify(shown)}`)
    const wrong = readFolder(out)
    const name = scalesName('h.2.mlp.c_fc.weight')
    const scales = wrong.tensors.get(name)
    if (scales?.dtype !== 'F16') return t.fail(`no ${name}`)
    const turned = new Map([
      ...wrong.tensors,
      [name, { ...scales, data: scales.data.toReversed() } satisfies HostTensor],
    ])
    writeFolder(join(root, 'wrong'), { ...wrong, tensors: turned })
    writeFileSync(join(root, 'wrong', 'tokenizer.json'), readFileSync(join(out, 'tokenizer.json')))
    const worse = await perplexity(await openModel(join(root, 'wrong'), engine), text, 256)
    t.ok(worse / was > 1.005, `negative control: scales in another order cost more, ${worse.toFixed(3)}`)
  })
})

test('stories260K in q8_0: its greedy text is one that the model itself finds as likely as its own', async t => {
  const binary = withShared(t, 'data/stories260K/stories260K.bin', path => path)
  const vocabulary = withShared(t, 'data/stories260K/tok512.bin', path => path)
  if (binary === null || vocabulary === null) return t.end()
  await inFolder(async root => {
    await convertLlama2c(binary, vocabulary, join(root, 'f32'))
    quantizeFolder(join(root, 'f32'), 'q8_0', join(root, 'q8_0'))
    const engine = wasmEngine()
    const full = await openModel(join(root, 'f32'), engine)
    const small = await openModel(join(root, 'q8_0'), engine)
    const told = async (model: OpenedModel) => idsOf(await all(generate(model, '', { tokens: 128, greedy: true })))
    const likely = (text: readonly number[]) => perplexity(full, Int32Array.from([1, ...text]), text.length)
    const [own, other] = [await told(full), await told(small)]
    const [mine, theirs] = [await likely(own), await likely(other)]
    t.ok(theirs < mine * 1.25, `perplexity ${mine.toFixed(3)} of its own, ${theirs.toFixed(3)} of the other`)
    const random = await likely(own.toReversed())
    t.ok(random > mine * 1.25, `negative control: backwards it is ${random.toFixed(1)}`)
  })
})
