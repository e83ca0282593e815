import { groupedQuerySelfAttention } from '../operators/attention/selfAttention.ts'
import { embedding, unembedding } from '../operators/embedding.ts'
import { swiGlu } from '../operators/feedForward.ts'
import type { Hidden } from '../operators/hidden.ts'
import { linear } from '../operators/linear.ts'
import { rmsNorm } from '../operators/norm/rmsNorm.ts'
import type { LlamaConfig } from '../src/codec/llama.ts'
import { compose, residual } from '../src/compose.ts'
import type { Operator } from '../src/operator.ts'
import { scoped } from '../src/scoped.ts'
import { type Block, blocks, type LanguageModel } from './languageModel.ts'

/** x + attention(norm(x)), then x + swiGlu(norm(x)), with RMS norms and rotary positions. */
export const llamaBlock = (config: LlamaConfig): Block => {
  const { hidden_size: width, intermediate_size: hidden, rms_norm_eps: epsilon, rope_theta: theta } = config
  const attention = groupedQuerySelfAttention({
    width,
    heads: config.num_attention_heads,
    keyValueHeads: config.num_key_value_heads,
    headWidth: config.head_dim,
    causal: true,
    bias: false,
    theta,
  })
  const norm = (name: string): Operator<Hidden, Hidden> => rmsNorm({ name, epsilon })
  return {
    attention: residual(compose(norm('input_layernorm'), scoped('self_attn', attention))),
    feedForward: residual(compose(norm('post_attention_layernorm'), scoped('mlp', swiGlu({ width, hidden })))),
  }
}

/** Llama (Touvron et al., arXiv 2302.13971) under Hugging Face's parameter names. */
export const llama = (config: LlamaConfig): LanguageModel => {
  const { vocab_size: vocabulary, hidden_size: width, num_hidden_layers: layers, rms_norm_eps: epsilon } = config
  const { trunk, tail } = blocks('model.layers', layers, llamaBlock(config))
  const name = 'model.embed_tokens'
  return {
    trunk: compose(embedding({ name, vocabulary, width }), trunk),
    tail: compose(tail, rmsNorm({ name: 'model.norm', epsilon })),
    head: config.tie_word_embeddings
      ? unembedding({ name, vocabulary })
      : linear({ name: 'lm_head', from: 'width', to: 'vocabulary', width: vocabulary, bias: false, layout: 'torch' }),
    positions: config.max_position_embeddings,
    vocabulary,
  }
}
