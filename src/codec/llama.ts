/**
 * config.json of a Llama model, with Hugging Face's field names and defaults. Scaled rotary positions, attention and
 * feed-forward biases and other activations would compute something else and are refused.
 *
 * Source: Touvron et al., arXiv 2302.13971; Transformers, LlamaConfig.
 */
import * as t from 'io-ts'
import {
  boolean,
  completed,
  naturalNumber,
  nullable,
  oneOrMore,
  only,
  positiveInteger,
  positiveNumber,
  text,
  where,
  withDefault,
  withRules,
} from './fields.ts'
import { QuantizationConfig } from './quantization.ts'

const UNSCALED = 'null or { "rope_type": "default" } (scaled rotary positions are not supported)'

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isUnscaled = (value: unknown): boolean => {
  if (value === null) return true
  if (!isRecord(value)) return false
  const kind = value.rope_type ?? value.type
  return kind === undefined || kind === 'default'
}

const fields = {
  model_type: withDefault(only('llama'), 'llama'),
  architectures: withDefault(t.array(text, 'an array of names'), ['LlamaForCausalLM']),
  vocab_size: positiveInteger,
  /** Width of the residual stream. */
  hidden_size: positiveInteger,
  /** Width of the feed-forward layer. */
  intermediate_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  /** Heads of keys and values; absent is num_attention_heads. */
  num_key_value_heads: nullable(positiveInteger),
  /** Width of one head, even; absent is hidden_size / num_attention_heads. */
  head_dim: nullable(positiveInteger),
  /** Context length. */
  max_position_embeddings: positiveInteger,
  rms_norm_eps: withDefault(positiveNumber, 1e-6),
  rope_theta: withDefault(positiveNumber, 10000),
  rope_scaling: withDefault(
    where(UNSCALED, (value): value is null | object => isUnscaled(value)),
    null,
  ),
  tie_word_embeddings: withDefault(boolean, false),
  hidden_act: withDefault(only('silu'), 'silu'),
  attention_bias: withDefault(only(false), false),
  mlp_bias: withDefault(only(false), false),
  initializer_range: withDefault(positiveNumber, 0.02),
  bos_token_id: withDefault(nullable(naturalNumber), 1),
  eos_token_id: withDefault(oneOrMore(naturalNumber), [2]),
  quantization_config: QuantizationConfig,
}

const Written = t.exact(t.type(fields), 'a Llama configuration')
type Written = t.TypeOf<typeof Written>
interface Heads {
  readonly num_key_value_heads: number
  readonly head_dim: number
}

/** Newer files keep the rotary base and scaling together in `rope_parameters`. */
const Lifted = new t.Type<Written, t.OutputOf<typeof Written>, unknown>(
  Written.name,
  Written.is,
  (input, context) => {
    if (!isRecord(input) || !isRecord(input.rope_parameters)) return Written.validate(input, context)
    const { rope_parameters: rope, rope_theta, rope_scaling } = input
    return Written.validate(
      { ...input, rope_theta: rope_theta ?? rope.rope_theta, rope_scaling: rope_scaling ?? rope },
      context,
    )
  },
  Written.encode,
)

const Completed = completed(
  withRules(Lifted, [
    {
      field: 'hidden_size',
      holds: ({ hidden_size, num_attention_heads, head_dim }) =>
        head_dim !== null || hidden_size % num_attention_heads === 0,
      expected: ({ num_attention_heads }) => `a multiple of num_attention_heads = ${num_attention_heads}`,
      found: ({ hidden_size }) => hidden_size,
    },
  ]),
  (config): config is Written & Heads => config.head_dim !== null && config.num_key_value_heads !== null,
  config => ({
    ...config,
    head_dim: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    num_key_value_heads: config.num_key_value_heads ?? config.num_attention_heads,
    // What decodes is unscaled, in whichever of its spellings.
    rope_scaling: null,
  }),
)

export const LlamaConfig = withRules(Completed, [
  {
    field: 'head_dim',
    holds: ({ head_dim }) => head_dim % 2 === 0,
    expected: () => 'an even number (rotary positions turn pairs)',
    found: ({ head_dim }) => head_dim,
  },
  {
    field: 'num_attention_heads',
    holds: ({ num_attention_heads, num_key_value_heads }) => num_attention_heads % num_key_value_heads === 0,
    expected: ({ num_key_value_heads }) => `a multiple of num_key_value_heads = ${num_key_value_heads}`,
    found: ({ num_attention_heads }) => num_attention_heads,
  },
])

export type LlamaConfig = t.TypeOf<typeof LlamaConfig>
