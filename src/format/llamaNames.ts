/**
 * The tensors of a Llama checkpoint, under one spelling of their names.
 *
 * Linear weights are nn.Linear's [out, in]: y = x Wᵀ; the operators read them transposed.
 * Rotary positions turn halves (see rotaryLayout.ts).
 */
import * as E from 'fp-ts/lib/Either.js'
import type { LlamaConfig } from '../codec/llama.ts'
import { InputError } from '../errors.ts'
import type { HostTensor, HostTensors } from './hostTensor.ts'

const PREFIX = 'model.'
const HEAD = 'lm_head.weight'
/** It and, in 8-bit blocks, its scales. */
const OF_HEAD = /^lm_head\.weight(\.scales)?$/
/** Rotary frequencies that old checkpoints carry as buffers. */
const BUFFER = /\.rotary_emb\.inv_freq$/

/**
 * Names with `model.`, without rotary buffers, and without `lm_head.weight` where it is tied to `embed_tokens`. Two spellings
 * of one name are an InputError.
 */
export const llamaNames = (
  config: LlamaConfig,
  tensors: HostTensors,
  where: string,
): E.Either<InputError, HostTensors> => {
  const named = new Map<string, HostTensor>()
  for (const [spelled, tensor] of tensors) {
    const name = OF_HEAD.test(spelled) || spelled.startsWith(PREFIX) ? spelled : `${PREFIX}${spelled}`
    if (BUFFER.test(name) || (OF_HEAD.test(name) && config.tie_word_embeddings)) continue
    if (named.has(name))
      return E.left(new InputError(`${where}: ${name}: expected once, found with and without ${PREFIX}`))
    named.set(name, tensor)
  }
  return E.right(named)
}

/** Name and shape of every tensor of a model of this configuration. */
export const llamaShapes = (config: LlamaConfig): ReadonlyMap<string, readonly number[]> => {
  const { hidden_size: width, intermediate_size: inner, vocab_size: vocabulary } = config
  const queries = config.num_attention_heads * config.head_dim
  const keys = config.num_key_value_heads * config.head_dim
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [vocabulary, width]]])
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`
    shapes.set(`${layer}.input_layernorm.weight`, [width])
    shapes.set(`${layer}.self_attn.q_proj.weight`, [queries, width])
    shapes.set(`${layer}.self_attn.k_proj.weight`, [keys, width])
    shapes.set(`${layer}.self_attn.v_proj.weight`, [keys, width])
    shapes.set(`${layer}.self_attn.o_proj.weight`, [width, queries])
    shapes.set(`${layer}.post_attention_layernorm.weight`, [width])
    shapes.set(`${layer}.mlp.gate_proj.weight`, [inner, width])
    shapes.set(`${layer}.mlp.up_proj.weight`, [inner, width])
    shapes.set(`${layer}.mlp.down_proj.weight`, [width, inner])
  }
  shapes.set('model.norm.weight', [width])
  if (!config.tie_word_embeddings) shapes.set(HEAD, [vocabulary, width])
  return shapes
}
