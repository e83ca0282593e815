/**
 * llama2.c's model.bin as a Hugging Face Llama model.
 *
 * Seven int32 (dim, hidden, layers, heads, kv heads, vocabulary, context; a negative vocabulary means an output matrix of its
 * own), then f32, each kind stacked over the layers:
 *
 *   embedding [V, D], attention norm [L, D], wq [L, D, D], wk, wv [L, KV, D], wo [L, D, D], ffn norm [L, D],
 *   w1 [L, F, D], w2 [L, D, F], w3 [L, F, D], final norm [D], two unused tables [T, D/heads/2], (output [V, D])
 *
 * Matrices are [out, in], as Hugging Face's. Rotary positions turn adjacent pairs there and halves here, so the rows of wq and
 * wk are reordered (see rotaryLayout.ts). Law L12.
 *
 * Source: https://github.com/karpathy/llama2.c, run.c (`memory_map_weights`) and export.py (version 0).
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { decode } from '../codec/decode.ts'
import { LlamaConfig } from '../codec/llama.ts'
import { InputError } from '../errors.ts'
import { f32, floats, type HostTensor, type HostTensors, hostTensor, sizeOf } from './hostTensor.ts'
import { pairsToHalves } from './rotaryLayout.ts'

const HEADER = 7 * 4
const F32 = 4
/** run.c's constants, which the file does not carry. */
const EPSILON = 1e-5
const ROTARY_BASE = 10000
/** run.c ends a text at the next text's beginning (1); sentencepiece's own end is 2. */
const ENDS = [1, 2]
const UNUSED = 'rotary tables'

/** A llama2.c model under Hugging Face's names, linear weights [out, in]. */
export interface Llama2c {
  readonly config: LlamaConfig
  readonly tensors: HostTensors
}

const readConfig = (bytes: Uint8Array, where: string): E.Either<InputError, LlamaConfig> => {
  if (bytes.length < HEADER) {
    return E.left(new InputError(`${where}: expected a llama2.c header of ${HEADER} bytes, found ${bytes.length}`))
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = (i: number) => view.getInt32(F32 * i, true)
  const value = {
    hidden_size: at(0),
    intermediate_size: at(1),
    num_hidden_layers: at(2),
    num_attention_heads: at(3),
    num_key_value_heads: at(4),
    vocab_size: Math.abs(at(5)),
    max_position_embeddings: at(6),
    tie_word_embeddings: at(5) > 0,
    rms_norm_eps: EPSILON,
    rope_theta: ROTARY_BASE,
    eos_token_id: ENDS,
  }
  return decode(LlamaConfig, value, `${where}: header`)
}

const readTensors = (config: LlamaConfig, bytes: Uint8Array, where: string): E.Either<InputError, HostTensors> => {
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers, vocab_size: vocabulary } = config
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: headWidth } = config
  const kvWidth = kvHeads * headWidth
  const sections: readonly (readonly [string, number, readonly number[]])[] = [
    ['embed_tokens', 1, [vocabulary, width]],
    ['input_layernorm', layers, [width]],
    ['self_attn.q_proj', layers, [width, width]],
    ['self_attn.k_proj', layers, [kvWidth, width]],
    ['self_attn.v_proj', layers, [kvWidth, width]],
    ['self_attn.o_proj', layers, [width, width]],
    ['post_attention_layernorm', layers, [width]],
    ['mlp.gate_proj', layers, [inner, width]],
    ['mlp.down_proj', layers, [width, inner]],
    ['mlp.up_proj', layers, [inner, width]],
    ['norm', 1, [width]],
    [UNUSED, 2, [config.max_position_embeddings, headWidth / 2]],
    ['lm_head', config.tie_word_embeddings ? 0 : 1, [vocabulary, width]],
  ]
  const expected = sections.reduce((total, [, count, shape]) => total + count * sizeOf(shape) * F32, HEADER)
  if (bytes.length !== expected) {
    return E.left(new InputError(`${where}: expected ${expected} bytes for the header's sizes, found ${bytes.length}`))
  }
  const reordered = (name: string, tensor: HostTensor): HostTensor => {
    const rotated = name === 'self_attn.q_proj' ? heads : name === 'self_attn.k_proj' ? kvHeads : 0
    return rotated === 0 ? tensor : f32(tensor.shape, pairsToHalves(floats(tensor), rotated, headWidth, width))
  }
  const tensors = new Map<string, HostTensor>()
  let offset = HEADER
  for (const [name, count, shape] of sections) {
    const size = sizeOf(shape) * F32
    for (let i = 0; i < count; i++) {
      const read = hostTensor('F32', shape, bytes.subarray(offset, offset + size))
      offset += size
      if (name === UNUSED) continue
      tensors.set(fullName(name, i), reordered(name, read))
    }
  }
  return E.right(tensors)
}

const fullName = (name: string, layer: number): string => {
  if (name === 'lm_head') return 'lm_head.weight'
  if (name === 'embed_tokens' || name === 'norm') return `model.${name}.weight`
  return `model.layers.${layer}.${name}.weight`
}

/** Any bytes as a llama2.c model, or an InputError. Tensors that need no reordering share the file's memory. */
export const readLlama2c = (bytes: Uint8Array, where: string): E.Either<InputError, Llama2c> =>
  pipe(
    readConfig(bytes, where),
    E.chain(config =>
      pipe(
        readTensors(config, bytes, where),
        E.map(tensors => ({ config, tensors })),
      ),
    ),
  )
