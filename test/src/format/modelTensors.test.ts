import * as E from 'fp-ts/lib/Either.js'
import test from 'tape'
import { decodeOrThrow, orThrow } from '../../../src/codec/decode.ts'
import { Gpt2Config } from '../../../src/codec/gpt2.ts'
import { LlamaConfig } from '../../../src/codec/llama.ts'
import { gpt2Shapes } from '../../../src/format/gpt2Names.ts'
import { f32, type HostTensors, hostTensor, sizeOf } from '../../../src/format/hostTensor.ts'
import { llamaShapes } from '../../../src/format/llamaNames.ts'
import { modelTensors } from '../../../src/format/modelTensors.ts'

const gpt2 = (more: object = {}) =>
  decodeOrThrow(Gpt2Config, { vocab_size: 5, n_positions: 4, n_embd: 6, n_layer: 2, n_head: 2, ...more }, 'config.json')
const llama = (more: object = {}) =>
  decodeOrThrow(
    LlamaConfig,
    {
      vocab_size: 5,
      max_position_embeddings: 4,
      hidden_size: 8,
      intermediate_size: 6,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      ...more,
    },
    'config.json',
  )

const zeros = (shapes: ReadonlyMap<string, readonly number[]>): HostTensors =>
  new Map(Array.from(shapes, ([name, shape]) => [name, f32(shape, new Float32Array(sizeOf(shape)))]))
const renamed = (tensors: HostTensors, name: (old: string) => string): HostTensors =>
  new Map(Array.from(tensors, ([old, tensor]) => [name(old), tensor]))
const names = (tensors: HostTensors) => [...tensors.keys()].sort()

test('GPT-2 names: with and without the prefix, buffers and a tied head dropped', t => {
  const config = gpt2()
  const plain = zeros(gpt2Shapes(config))
  t.equal(plain.size, 2 + 2 * 12 + 2)
  const head = f32([5, 6], new Float32Array(30))
  const buffer = hostTensor('U8', [1, 1, 4, 4], new Uint8Array(16))
  const prefixed = new Map([
    ...renamed(plain, name => `transformer.${name}`),
    ['lm_head.weight', head],
    ['transformer.h.0.attn.bias', buffer],
    ['transformer.h.1.attn.masked_bias', buffer],
  ])
  t.deepEqual(names(orThrow(modelTensors(config, prefixed, 'm'))), names(plain))
  t.deepEqual(names(orThrow(modelTensors(config, new Map([...plain, ['h.0.attn.bias', buffer]]), 'm'))), names(plain))
  const untied = gpt2({ tie_word_embeddings: false })
  t.ok(orThrow(modelTensors(untied, prefixed, 'm')).has('lm_head.weight'), 'an untied head is kept')
  t.ok(E.isLeft(modelTensors(untied, plain, 'm')), 'an untied head must be there')
  t.notOk(
    [...gpt2Shapes(gpt2({ bias: false })).keys()].some(name => name.endsWith('.bias')),
    'bias: false',
  )
  t.end()
})

test('Llama names: with and without the prefix, buffers and a tied head dropped', t => {
  const config = llama({ tie_word_embeddings: true })
  const plain = zeros(llamaShapes(config))
  const bare = new Map([
    ...renamed(plain, name => name.slice('model.'.length)),
    ['layers.0.self_attn.rotary_emb.inv_freq', f32([2], new Float32Array(2))],
    ['lm_head.weight', f32([5, 8], new Float32Array(40))],
  ])
  t.deepEqual(names(orThrow(modelTensors(config, bare, 'm'))), names(plain))
  t.ok(llamaShapes(llama()).has('lm_head.weight'))
  t.deepEqual(llamaShapes(llama({ num_key_value_heads: 1 })).get('model.layers.0.self_attn.k_proj.weight'), [4, 8])
  t.end()
})

test('model tensors: what does not fit the configuration is an InputError that names the tensor', t => {
  const config = gpt2()
  const plain = zeros(gpt2Shapes(config))
  const without = (name: string) => new Map([...plain].filter(([other]) => other !== name))
  const cases: readonly (readonly [HostTensors, RegExp])[] = [
    [without('wpe.weight'), /^m: wpe.weight: expected a tensor \[4,6\], found none$/],
    [
      new Map([...plain, ['wte.weight', f32([6, 5], new Float32Array(30))]]),
      /^m: wte.weight: expected shape \[5,6\], found \[6,5\]$/,
    ],
    [
      new Map([...plain, ['wte.weight', hostTensor('U8', [5, 6], new Uint8Array(30))]]),
      /^m: wte.weight: expected F64 or .*, found U8$/,
    ],
    [
      new Map([...plain, ['h.2.ln_1.weight', f32([6], new Float32Array(6))]]),
      /^m: h.2.ln_1.weight: expected no such tensor/,
    ],
    [
      new Map([...plain, ['transformer.wte.weight', f32([5, 6], new Float32Array(30))]]),
      /^m: wte.weight: expected once/,
    ],
  ]
  for (const [tensors, message] of cases) {
    const result = modelTensors(config, tensors, 'm')
    if (E.isRight(result)) t.fail(`accepted: ${message}`)
    else t.ok(message.test(result.left.message), result.left.message)
  }
  t.end()
})
