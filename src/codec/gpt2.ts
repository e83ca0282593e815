/**
 * config.json of a GPT-2 model, with Hugging Face's field names and defaults, plus `bias: false` for models without biases
 * (nanoGPT's option). Variants that would compute something else are refused.
 *
 * Source: Radford et al., "Language models are unsupervised multitask learners", 2019; Transformers, GPT2Config.
 */
import * as t from 'io-ts'
import {
  boolean,
  fraction,
  naturalNumber,
  nullable,
  oneOf,
  only,
  positiveInteger,
  positiveNumber,
  text,
  withDefault,
  withRules,
} from './fields.ts'
import { QuantizationConfig } from './quantization.ts'

const fields = {
  model_type: withDefault(only('gpt2'), 'gpt2'),
  architectures: withDefault(t.array(text, 'an array of names'), ['GPT2LMHeadModel']),
  vocab_size: positiveInteger,
  /** Context length. */
  n_positions: positiveInteger,
  /** Width of the residual stream. */
  n_embd: positiveInteger,
  n_layer: positiveInteger,
  n_head: positiveInteger,
  /** Width of the feed-forward layer; null is 4 n_embd. */
  n_inner: nullable(positiveInteger),
  activation_function: withDefault(oneOf('gelu_new', 'gelu', 'gelu_pytorch_tanh', 'relu'), 'gelu_new'),
  layer_norm_epsilon: withDefault(positiveNumber, 1e-5),
  tie_word_embeddings: withDefault(boolean, true),
  /** False: neither linear layers nor layer norms have biases. */
  bias: withDefault(boolean, true),
  embd_pdrop: withDefault(fraction, 0.1),
  attn_pdrop: withDefault(fraction, 0.1),
  resid_pdrop: withDefault(fraction, 0.1),
  initializer_range: withDefault(positiveNumber, 0.02),
  bos_token_id: nullable(naturalNumber),
  eos_token_id: nullable(naturalNumber),
  scale_attn_weights: withDefault(only(true), true),
  scale_attn_by_inverse_layer_idx: withDefault(only(false), false),
  add_cross_attention: withDefault(only(false), false),
  quantization_config: QuantizationConfig,
}

export const Gpt2Config = withRules(t.exact(t.type(fields), 'a GPT-2 configuration'), [
  {
    field: 'n_embd',
    holds: ({ n_embd, n_head }) => n_embd % n_head === 0,
    expected: ({ n_head }) => `a multiple of n_head = ${n_head}`,
    found: ({ n_embd }) => n_embd,
  },
])

export type Gpt2Config = t.TypeOf<typeof Gpt2Config>
