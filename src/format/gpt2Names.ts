/**
 * The tensors of a GPT-2 checkpoint, under one spelling of their names.
 *
 * Linear weights are Conv1D's [in, out] (Hugging Face GPT-2's own layout): y = x W + b.
 * C is n_embd, I the feed-forward width, V the vocabulary, P the context length.
 */
import * as E from 'fp-ts/lib/Either.js'
import type { Gpt2Config } from '../codec/gpt2.ts'
import { InputError } from '../errors.ts'
import type { HostTensor, HostTensors } from './hostTensor.ts'

const PREFIX = 'transformer.'
/** Causal masks that old checkpoints carry as buffers. */
const BUFFER = /^h\.\d+\.attn\.(bias|masked_bias)$/
const HEAD = 'lm_head.weight'
/** It and, in 8-bit blocks, its scales. */
const OF_HEAD = /^lm_head\.weight(\.scales)?$/

/**
 * Names without `transformer.`, without mask buffers, and without `lm_head.weight` where it is tied to `wte.weight`. Two
 * spellings of one name are an InputError.
 */
export const gpt2Names = (
  config: Gpt2Config,
  tensors: HostTensors,
  where: string,
): E.Either<InputError, HostTensors> => {
  const named = new Map<string, HostTensor>()
  for (const [spelled, tensor] of tensors) {
    const name = spelled.startsWith(PREFIX) ? spelled.slice(PREFIX.length) : spelled
    if (BUFFER.test(name) || (OF_HEAD.test(name) && config.tie_word_embeddings)) continue
    if (named.has(name))
      return E.left(new InputError(`${where}: ${name}: expected once, found with and without ${PREFIX}`))
    named.set(name, tensor)
  }
  return E.right(named)
}

/** Name and shape of every tensor of a model of this configuration. */
export const gpt2Shapes = (config: Gpt2Config): ReadonlyMap<string, readonly number[]> => {
  const width = config.n_embd
  const inner = config.n_inner ?? 4 * width
  const shapes = new Map<string, readonly number[]>()
  const affine = (name: string, weight: readonly number[], bias: number) => {
    shapes.set(`${name}.weight`, weight)
    if (config.bias) shapes.set(`${name}.bias`, [bias])
  }
  shapes.set('wte.weight', [config.vocab_size, width])
  shapes.set('wpe.weight', [config.n_positions, width])
  for (let i = 0; i < config.n_layer; i++) {
    affine(`h.${i}.ln_1`, [width], width)
    affine(`h.${i}.attn.c_attn`, [width, 3 * width], 3 * width)
    affine(`h.${i}.attn.c_proj`, [width, width], width)
    affine(`h.${i}.ln_2`, [width], width)
    affine(`h.${i}.mlp.c_fc`, [width, inner], inner)
    affine(`h.${i}.mlp.c_proj`, [inner, width], width)
  }
  affine('ln_f', [width], width)
  if (!config.tie_word_embeddings) shapes.set(HEAD, [config.vocab_size, width])
  return shapes
}
