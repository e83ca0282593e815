/**
 * Llama weights as a GGUF file (version 3), for llama.cpp: f32, or matrices in Q8_0 with the very blocks that ours has. Its rotary positions turn
 * neighbouring pairs, Hugging Face's halves: rows of queries and keys change places.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { LlamaConfig } from '../src/codec/llama.ts'
import { bytesOf, type HostTensor, type HostTensors } from '../src/format/hostTensor.ts'
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

const fieldsOf = (config: LlamaConfig, quantized: boolean): readonly Uint8Array[] => {
  const { tokens, types } = vocabularyOf(config.vocab_size)
  const field = (name: string, type: number, value: Uint8Array) => joined([text(name), u32([type]), value])
  const list = (name: string, type: number, count: number, values: Uint8Array) =>
    field(name, ARRAY, joined([u32([type]), u64([count]), values]))
  const sizes = {
    'llama.context_length': config.max_position_embeddings,
    'llama.embedding_length': config.hidden_size,
    'llama.block_count': config.num_hidden_layers,
    'llama.feed_forward_length': config.intermediate_size,
    'llama.attention.head_count': config.num_attention_heads,
    'llama.attention.head_count_kv': config.num_key_value_heads,
    'llama.rope.dimension_count': config.head_dim,
    'llama.vocab_size': config.vocab_size,
    'general.file_type': quantized ? 7 : 0,
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.unknown_token_id': 0,
  }
  return [
    field('general.architecture', STRING, text('llama')),
    field('general.name', STRING, text('random')),
    ...Object.entries(sizes).map(([name, value]) => field(name, UINT32, u32([value]))),
    field('llama.attention.layer_norm_rms_epsilon', FLOAT32, f32([config.rms_norm_eps])),
    field('llama.rope.freq_base', FLOAT32, f32([config.rope_theta])),
    field('tokenizer.ggml.model', STRING, text('llama')),
    list('tokenizer.ggml.tokens', STRING, tokens.length, joined(tokens.map(text))),
    list('tokenizer.ggml.scores', FLOAT32, tokens.length, f32(tokens.map((_, i) => -i))),
    list('tokenizer.ggml.token_type', INT32, types.length, i32(types)),
  ]
}

const NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
}
const LAYER: Readonly<Record<string, string>> = {
  'input_layernorm.weight': 'attn_norm.weight',
  'post_attention_layernorm.weight': 'ffn_norm.weight',
  'self_attn.q_proj.weight': 'attn_q.weight',
  'self_attn.k_proj.weight': 'attn_k.weight',
  'self_attn.v_proj.weight': 'attn_v.weight',
  'self_attn.o_proj.weight': 'attn_output.weight',
  'mlp.gate_proj.weight': 'ffn_gate.weight',
  'mlp.up_proj.weight': 'ffn_up.weight',
  'mlp.down_proj.weight': 'ffn_down.weight',
}

const nameOf = (name: string): string => {
  const [, layer, part = ''] = /^model\.layers\.(\d+)\.(.*)$/.exec(name) ?? []
  const known = layer === undefined ? NAMES[name] : LAYER[part]
  if (known === undefined) throw new RangeError(`no GGUF name for ${name}`)
  return layer === undefined ? known : `blk.${layer}.${known}`
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

/** Writes a model of Hugging Face's names, its matrices all f32 or all q8_0. */
export const writeGguf = (path: string, config: LlamaConfig, tensors: HostTensors): void => {
  const held = [...tensors].filter(([name]) => !name.endsWith('.scales'))
  const quantized = held.some(([, { dtype }]) => dtype === 'I8')
  const infos: Uint8Array[] = []
  const blobs: Uint8Array[] = []
  let offset = 0
  for (const [name, tensor] of held) {
    const { bytes, rowBytes } = rowsOf(name, tensor, tensors)
    const turned = /\.[qk]_proj\./.test(name) ? inPairs(bytes, rowBytes, config.head_dim) : bytes
    const type = tensor.dtype === 'I8' ? Q8_0 : F32
    infos.push(
      text(nameOf(name)),
      u32([tensor.shape.length]),
      u64(tensor.shape.toReversed()),
      u32([type]),
      u64([offset]),
    )
    blobs.push(turned, padding(turned.length))
    offset += turned.length + padding(turned.length).length
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
