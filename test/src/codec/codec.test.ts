import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import test from 'tape'
import { decode, decodeOrThrow, orThrow } from '../../../src/codec/decode.ts'
import { flagName } from '../../../src/codec/flag.ts'
import {
  GenerationConfig,
  GenerationOptions,
  generationDefaults,
  generationFields,
} from '../../../src/codec/generation.ts'
import { Gpt2Config } from '../../../src/codec/gpt2.ts'
import { parseJson } from '../../../src/codec/json.ts'
import { LlamaConfig } from '../../../src/codec/llama.ts'
import { decodeModelConfig, encodeModelConfig } from '../../../src/codec/model.ts'
import { TrainingOptions } from '../../../src/codec/training.ts'
import { InputError } from '../../../src/errors.ts'
import { duplicateKey } from '../../../src/format/duplicateKey.ts'
import { breaks, holds } from '../../property.ts'

const gpt2 = { model_type: 'gpt2', vocab_size: 65, n_positions: 64, n_embd: 128, n_layer: 4, n_head: 4 }
const llama = {
  model_type: 'llama',
  vocab_size: 512,
  max_position_embeddings: 512,
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
}

const refuses = (
  test_: { ok(b: boolean, m: string): void },
  result: E.Either<InputError, unknown>,
  message: string,
) => {
  const found = E.isLeft(result) ? result.left.message : 'accepted'
  test_.ok(found === message, found === message ? message : `${found} instead of ${message}`)
}

test('GPT-2 config: defaults, and errors that say which field, expected and found', t => {
  const config = decodeOrThrow(Gpt2Config, { ...gpt2, task_specific_params: {} }, 'config.json')
  t.equal(config.layer_norm_epsilon, 1e-5)
  t.equal(config.activation_function, 'gelu_new')
  t.equal(config.tie_word_embeddings, true)
  t.equal(config.bias, true)
  t.equal(config.n_inner, null)
  t.notOk('task_specific_params' in config, 'fields of other uses are dropped')
  const wrong: readonly (readonly [object, string])[] = [
    [{ n_head: 'four' }, 'n_head: expected a positive integer, found "four"'],
    [{ n_layer: undefined }, 'n_layer: expected a positive integer, found nothing'],
    [{ n_layer: 0 }, 'n_layer: expected a positive integer, found 0'],
    [{ n_layer: 2.5 }, 'n_layer: expected a positive integer, found 2.5'],
    [{ n_embd: 130 }, 'n_embd: expected a multiple of n_head = 4, found 130'],
    [{ layer_norm_epsilon: -1 }, 'layer_norm_epsilon: expected a positive number, found -1'],
    [{ resid_pdrop: 1 }, 'resid_pdrop: expected a number in [0, 1), found 1'],
    [{ bias: 'no' }, 'bias: expected true or false, found "no"'],
    [
      { activation_function: 'swish' },
      'activation_function: expected "gelu_new" or "gelu" or "gelu_pytorch_tanh" or "relu", found "swish"',
    ],
    [
      { scale_attn_by_inverse_layer_idx: true },
      'scale_attn_by_inverse_layer_idx: expected false (nothing else is supported), found true',
    ],
    [
      { vocab_size: [], n_inner: {} },
      'vocab_size: expected a positive integer, found an empty array; config.json: n_inner: expected a positive integer, found an object',
    ],
  ]
  for (const [change, message] of wrong)
    refuses(t, decode(Gpt2Config, { ...gpt2, ...change }, 'config.json'), `config.json: ${message}`)
  refuses(t, decode(Gpt2Config, 7, 'config.json'), 'config.json: expected a GPT-2 configuration, found 7')
  t.end()
})

test('Llama config: defaults, both spellings of rotary parameters, and what is not supported', t => {
  const config = decodeOrThrow(LlamaConfig, llama, 'config.json')
  t.equal(config.num_key_value_heads, 8)
  t.equal(config.head_dim, 8)
  t.equal(config.rope_theta, 10000)
  const rope = (change: object) => decode(LlamaConfig, { ...llama, ...change }, 'config.json')
  t.equal(orThrow(rope({ rope_parameters: { rope_type: 'default', rope_theta: 5e5 } })).rope_theta, 5e5)
  t.equal(orThrow(rope({ rope_scaling: { type: 'default' } })).rope_scaling, null)
  const unscaled = 'null or { "rope_type": "default" } (scaled rotary positions are not supported)'
  refuses(
    t,
    rope({ rope_scaling: { rope_type: 'llama3', factor: 8 } }),
    `config.json: rope_scaling: expected ${unscaled}, found an object`,
  )
  refuses(
    t,
    rope({ rope_parameters: { rope_type: 'yarn' } }),
    `config.json: rope_scaling: expected ${unscaled}, found an object`,
  )
  refuses(
    t,
    rope({ num_key_value_heads: 3 }),
    'config.json: num_attention_heads: expected a multiple of num_key_value_heads = 3, found 8',
  )
  refuses(
    t,
    rope({ hidden_size: 60 }),
    'config.json: hidden_size: expected a multiple of num_attention_heads = 8, found 60',
  )
  refuses(
    t,
    rope({ hidden_size: 56 }),
    'config.json: head_dim: expected an even number (rotary positions turn pairs), found 7',
  )
  t.equal(orThrow(rope({ hidden_size: 60, head_dim: 16 })).head_dim, 16, 'a head width of its own')
  refuses(
    t,
    rope({ attention_bias: true }),
    'config.json: attention_bias: expected false (nothing else is supported), found true',
  )
  t.end()
})

test('model config: the type chooses the codec', t => {
  t.equal(orThrow(decodeModelConfig(gpt2, 'c')).model_type, 'gpt2')
  t.equal(orThrow(decodeModelConfig(llama, 'c')).model_type, 'llama')
  refuses(
    t,
    decodeModelConfig({ ...gpt2, model_type: 'bert' }, 'c'),
    'c: model_type: expected "gpt2" or "llama", found "bert"',
  )
  refuses(t, decodeModelConfig(null, 'c'), 'c: expected a model configuration, found null')
  t.end()
})

test('options: defaults, text of flags, and errors that name the flag', t => {
  const options = decodeOrThrow(GenerationOptions, {}, flagName)
  t.deepEqual(options, {
    tokens: 256,
    temperature: 1,
    topK: null,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    greedy: false,
    stop: [],
    seed: 0,
  })
  const flags = decodeOrThrow(
    GenerationOptions,
    { tokens: '64', topP: '0.9', topK: '40', seed: '7', stop: '\n' },
    flagName,
  )
  t.deepEqual([flags.tokens, flags.topP, flags.topK, flags.seed, flags.stop], [64, 0.9, 40, 7, ['\n']])
  const wrong: readonly (readonly [object, string])[] = [
    [{ topP: 2 }, '--top-p: expected a number in (0, 1], found 2'],
    [{ topP: '2' }, '--top-p: expected a number in (0, 1], found 2'],
    [{ topP: 'most' }, '--top-p: expected a number in (0, 1], found "most"'],
    [{ topP: '' }, '--top-p: expected a number in (0, 1], found ""'],
    [{ topP: 0 }, '--top-p: expected a number in (0, 1], found 0'],
    [{ minP: 1 }, '--min-p: expected a number in [0, 1), found 1'],
    [{ topK: 0 }, '--top-k: expected a positive integer, found 0'],
    [{ temperature: 0 }, '--temperature: expected a positive number, found 0'],
    [{ temperature: Infinity }, '--temperature: expected a positive number, found Infinity'],
    [{ repetitionPenalty: -1 }, '--repetition-penalty: expected a positive number, found -1'],
    [{ tokens: 1.5 }, '--tokens: expected a positive integer, found 1.5'],
    [{ seed: -1 }, '--seed: expected an integer in [0, 2^53), found -1'],
    [{ stop: [''] }, '--stop: expected a non-empty string, found ""'],
  ]
  for (const [value, message] of wrong) refuses(t, decode(GenerationOptions, value, flagName), message)
  refuses(t, decode(generationFields.topP, '2', '--top-p'), '--top-p: expected a number in (0, 1], found 2')
  refuses(
    t,
    decode(TrainingOptions, { warmup: '3000' }, flagName),
    '--warmup: expected at most the number of steps 2000, found 3000',
  )
  refuses(
    t,
    decode(TrainingOptions, { learningRate: 1e-5 }, flagName),
    '--minimum-learning-rate: expected at most the learning rate 0.00001, found 0.0001',
  )
  t.end()
})

test('generation_config.json: as defaults of the options', t => {
  const defaults = (value: object) =>
    decodeOrThrow(
      GenerationOptions,
      generationDefaults(decodeOrThrow(GenerationConfig, value, 'generation_config.json')),
      'g',
    )
  t.deepEqual(defaults({ eos_token_id: 2, bos_token_id: 1 }), decodeOrThrow(GenerationOptions, {}, 'g'))
  t.deepEqual(decodeOrThrow(GenerationConfig, { eos_token_id: 2 }, 'g').eos_token_id, [2])
  const set = defaults({ do_sample: true, temperature: 0.6, top_k: 0, top_p: 0.9, max_new_tokens: 5 })
  t.deepEqual([set.temperature, set.topK, set.topP, set.tokens, set.greedy], [0.6, null, 0.9, 5, false])
  t.equal(defaults({ do_sample: false }).greedy, true)
  t.equal(defaults({ temperature: 0 }).greedy, true)
  refuses(
    t,
    decode(GenerationConfig, { top_p: 7 }, 'generation_config.json'),
    'generation_config.json: top_p: expected a number in (0, 1], found 7',
  )
  t.end()
})

test('L11 codec: decode(encode(a)) is a, and any value gives a value or an InputError', t => {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
  const models = fc.record({
    heads: fc.integer({ min: 1, max: 8 }),
    width: fc.integer({ min: 1, max: 32 }).map(n => 2 * n),
    tied: fc.boolean(),
    activation_function: fc.constantFrom('gelu', 'relu', 'gelu_new'),
    quantized: fc.constantFrom({}, { quantization_config: { quant_method: 'q8_0', block_size: 32 } }),
  })
  const returns = (encode: typeof encodeModelConfig) =>
    fc.property(models, fc.boolean(), ({ heads, width, tied, activation_function, quantized }, isGpt2) => {
      const value = isGpt2
        ? {
            ...gpt2,
            n_head: heads,
            n_embd: heads * width,
            tie_word_embeddings: tied,
            activation_function,
            ...quantized,
          }
        : {
            ...llama,
            num_attention_heads: heads,
            hidden_size: heads * width,
            tie_word_embeddings: tied,
            ...quantized,
          }
      const config = orThrow(decodeModelConfig(value, 'c'))
      return same(orThrow(decodeModelConfig(JSON.parse(JSON.stringify(encode(config))), 'c')), config)
    })
  holds(t, 'model configurations', returns(encodeModelConfig))
  breaks(
    t,
    'weights told apart are written as tied',
    returns(config => encodeModelConfig({ ...config, tie_word_embeddings: true })),
  )
  const total = (result: E.Either<unknown, unknown>) => E.isRight(result) || result.left instanceof InputError
  const anything = fc.oneof(
    fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
    fc.dictionary(
      fc.constantFrom(
        ...Object.keys(gpt2),
        ...Object.keys(llama),
        'rope_parameters',
        'quantization_config',
        'rope_scaling',
        'topP',
        'stop',
        'eos_token_id',
      ),
      fc.anything(),
    ),
  )
  for (const codec of [Gpt2Config, LlamaConfig, GenerationOptions, GenerationConfig, TrainingOptions]) {
    holds(
      t,
      codec.name,
      fc.property(
        anything,
        value => total(decode<unknown>(codec, value, 'x')) && total(decode<unknown>(codec, value, flagName)),
      ),
    )
  }
  holds(
    t,
    'parseJson',
    fc.property(fc.oneof(fc.string(), fc.uint8Array()), source => total(parseJson(source, 'x'))),
  )
  t.end()
})

test('duplicateKey: finds a key twice in one object, and only that', t => {
  const cases: readonly (readonly [string, string | null])[] = [
    ['{"a":1,"a":2}', 'a'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"x":{"a":1,"b":[{"a":1},{"a":"a"}]},"a":{"a":0}}', null],
    ['[{"k":{}},{"k" : [],"k"\n:0}]', 'k'],
    ['{"a":"\\"a\\":","b":"}{","\\\\":"a"}', null],
  ]
  for (const [json, expected] of cases) t.equal(duplicateKey(json), expected, json)
  holds(
    t,
    'JSON.stringify writes none',
    fc.property(fc.jsonValue(), value => duplicateKey(JSON.stringify(value)) === null),
  )
  t.end()
})
