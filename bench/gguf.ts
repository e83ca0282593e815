/**
 * GPT-2 and Llama weights as a GGUF file (version 3), for llama.cpp: f32, or Llama's matrices in Q8_0 with the very blocks that ours has. Its rotary
 * positions turn neighbouring pairs, Hugging Face's halves: rows of queries and keys change places. GPT-2's matrices are (inputs, outputs), its (outputs, inputs).
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Gpt2Config } from '../src/codec/gpt2.ts'
import type { LlamaConfig } from '../src/codec/llama.ts'
import type { ModelConfig } from '../src/codec/model.ts'
import { bytesOf, floats, type HostTensor, type HostTensors, f32 as hostF32 } from '../src/format/hostTensor.ts'
import { scalesName } from '../src/format/quantized/modelMatrices.ts'

const ALIGNMENT = 32
const [UINT32, INT32, FLOAT32, STRING, ARRAY] = [4, 5, 6, 8, 9]
const [F32, Q8_0] = [0, 8]
const BLOCK = 32

const utf8 = new TextEncoder()

const numbers = (write: (view: DataView, at: number, value: number) => void, bytes: number) => (values: number[]) => {
  const view = new DataView(new ArrayBuffer(bytes * values.length))
  for (const [i, value] of values.entries()) write(view, i * bytes, value)
  return new Uint8Array(view.buffer)
}
const u32 = numbers((view, at, value) => view.setUint32(at, value, true), 4)
const u64 = numbers((view, at, value) => view.setBigUint64(at, BigInt(value), true), 8)
const i32 = numbers((view, at, value) => view.setInt32(at, value, true), 4)
const f32 = numbers((view, at, value) => view.setFloat32(at, value, true), 4)
const joined = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)
const text = (value: string): Uint8Array => joined([u64([utf8.encode(value).length]), utf8.encode(value)])

/** A tokenizer of no meaning: special tokens, bytes, and words. */
const vocabularyOf = (size: number) => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`)
  const words = Array.from({ length: size - 259 }, (_, i) => `▁w${i}`)
  return {
    tokens: ['<unk>', '<s>', '</s>', ...bytes, ...words],
    types: [2, 3, 3, ...bytes.map(() => 6), ...words.map(() => 1)],
  }
}

type Sizes = Readonly<Record<string, number>>

const llamaSizes = (config: LlamaConfig): Sizes => ({
  context_length: config.max_position_embeddings,
  embedding_length: config.hidden_size,
  block_count: config.num_hidden_layers,
  feed_forward_length: config.intermediate_size,
  'attention.head_count': config.num_attention_heads,
  'attention.head_count_kv': config.num_key_value_heads,
  'rope.dimension_count': config.head_dim,
  vocab_size: config.vocab_size,
})

const gpt2Sizes = (config: Gpt2Config): Sizes => ({
  context_length: config.n_positions,
  embedding_length: config.n_embd,
  block_count: config.n_layer,
  feed_forward_length: config.n_inner ?? 4 * config.n_embd,
  'attention.head_count': config.n_head,
})

const fieldsOf = (config: ModelConfig, quantized: boolean): readonly Uint8Array[] => {
  const kind = config.model_type
  const { tokens, types } = vocabularyOf(config.vocab_size)
  const field = (name: string, type: number, value: Uint8Array) => joined([text(name), u32([type]), value])
  const whole = (name: string, value: number) => field(name, UINT32, u32([value]))
  const real = (name: string, value: number) => field(name, FLOAT32, f32([value]))
  const list = (name: string, type: number, count: number, values: Uint8Array) =>
    field(name, ARRAY, joined([u32([type]), u64([count]), values]))
  const sizes = config.model_type === 'gpt2' ? gpt2Sizes(config) : llamaSizes(config)
  const numbers =
    config.model_type === 'gpt2'
      ? [real('gpt2.attention.layer_norm_epsilon', config.layer_norm_epsilon)]
      : [
          real('llama.attention.layer_norm_rms_epsilon', config.rms_norm_eps),
          real('llama.rope.freq_base', config.rope_theta),
        ]
  return [
    field('general.architecture', STRING, text(kind)),
    field('general.name', STRING, text('random')),
    whole('general.file_type', quantized ? 7 : 0),
    ...Object.entries(sizes).map(([name, value]) => whole(`${kind}.${name}`, value)),
    ...numbers,
    field('tokenizer.ggml.model', STRING, text('llama')),
    whole('tokenizer.ggml.bos_token_id', 1),
    whole('tokenizer.ggml.eos_token_id', 2),
    whole('tokenizer.ggml.unknown_token_id', 0),
    list('tokenizer.ggml.tokens', STRING, tokens.length, joined(tokens.map(text))),
    list('tokenizer.ggml.scores', FLOAT32, tokens.length, f32(tokens.map((_, i) => -i))),
    list('tokenizer.ggml.token_type', INT32, types.length, i32(types)),
  ]
}

/** Without a layer's prefix, and without `weight` or `bias`. */
const NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  wte: 'token_embd',
  wpe: 'position_embd',
  ln_f: 'output_norm',
  ln_1: 'attn_norm',
  ln_2: 'ffn_norm',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
}

const nameOf = (name: string): string => {
  const [, layer, part = '', kind = ''] = /^(?:(?:model\.layers|h)\.(\d+)\.)?(.*)\.(weight|bias)$/.exec(name) ?? []
  const known = NAMES[part]
  if (known === undefined) throw new RangeError(`no GGUF name for ${name}`)
  return `${layer === undefined ? '' : `blk.${layer}.`}${known}.${kind}`
}

const turned = (tensor: HostTensor): HostTensor => {
  const [rows = 0, columns = 0] = tensor.shape
  const from = floats(tensor)
  const to = new Float32Array(from.length)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j] ?? Number.NaN
  return hostF32([columns, rows], to)
}

/** Rows as GGUF has them, each in its bytes: f32, or blocks of a scale and 32 numbers. */
const rowsOf = (name: string, tensor: HostTensor, tensors: HostTensors): { bytes: Uint8Array; rowBytes: number } => {
  const [rows = 1, columns = 1] = tensor.shape.length === 1 ? [1, tensor.shape[0]] : tensor.shape
  if (tensor.dtype === 'F32') return { bytes: bytesOf(tensor), rowBytes: 4 * columns }
  const scales = tensors.get(scalesName(name))
  if (tensor.dtype !== 'I8' || scales?.dtype !== 'F16' || columns % BLOCK !== 0)
    throw new TypeError(`${name}: neither f32 nor whole blocks of Q8_0`)
  const values = bytesOf(tensor)
  const bytes = new Uint8Array((values.length / BLOCK) * (BLOCK + 2))
  const view = new DataView(bytes.buffer)
  scales.data.forEach((scale, block) => {
    const at = block * (BLOCK + 2)
    view.setUint16(at, scale, true)
    bytes.set(values.subarray(block * BLOCK, (block + 1) * BLOCK), at + 2)
  })
  return { bytes, rowBytes: bytes.length / rows }
}

/** Rows of a head from halves to pairs: 0, h/2, 1, h/2 + 1, … */
const inPairs = (bytes: Uint8Array, rowBytes: number, headWidth: number): Uint8Array => {
  const out = new Uint8Array(bytes.length)
  for (let row = 0; row * rowBytes < bytes.length; row++) {
    const i = row % headWidth
    const from = row - i + (i >> 1) + (i % 2) * (headWidth / 2)
    out.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes)
  }
  return out
}

const padding = (length: number): Uint8Array => new Uint8Array((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT)

/** Writes a model of Hugging Face's names, its matrices all f32 or (of a Llama) all q8_0. */
export const writeGguf = (path: string, config: ModelConfig, tensors: HostTensors): void => {
  const held = [...tensors].filter(([name]) => !name.endsWith('.scales'))
  const quantized = held.some(([, { dtype }]) => dtype === 'I8')
  const infos: Uint8Array[] = []
  const blobs: Uint8Array[] = []
  let offset = 0
  for (const [name, given] of held) {
    const tensor = /\.c_\w+\.weight$/.test(name) ? turned(given) : given
    const { bytes: rows, rowBytes } = rowsOf(name, tensor, tensors)
    const rotary = config.model_type !== 'gpt2' && /\.[qk]_proj\./.test(name)
    const bytes = rotary ? inPairs(rows, rowBytes, config.head_dim) : rows
    const type = tensor.dtype === 'I8' ? Q8_0 : F32
    infos.push(
      text(nameOf(name)),
      u32([tensor.shape.length]),
      u64(tensor.shape.toReversed()),
      u32([type]),
      u64([offset]),
    )
    blobs.push(bytes, padding(bytes.length))
    offset += bytes.length + padding(bytes.length).length
  }
  const fields = fieldsOf(config, quantized)
  const head = joined([utf8.encode('GGUF'), u32([3]), u64([held.length, fields.length]), ...fields, ...infos])
  const file = openSync(path, 'w')
  try {
    for (const bytes of [head, padding(head.length), ...blobs]) writeSync(file, bytes)
  } finally {
    closeSync(file)
  }
}
