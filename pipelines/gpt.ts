import { selfAttention } from '../operators/attention/selfAttention.ts'
import { dropout } from '../operators/dropout.ts'
import { embedding, unembedding } from '../operators/embedding.ts'
import { feedForward } from '../operators/feedForward.ts'
import type { Hidden } from '../operators/hidden.ts'
import { linear } from '../operators/linear.ts'
import { layerNorm } from '../operators/norm/layerNorm.ts'
import { learnedPositions } from '../operators/position/learnedPositions.ts'
import type { Gpt2Config } from '../src/codec/gpt2.ts'
import { compose, residual, sequence } from '../src/compose.ts'
import type { Activation } from '../src/engine/fused.ts'
import type { Operator } from '../src/operator.ts'
import { scoped } from '../src/scoped.ts'
import { type Block, blocks, type LanguageModel } from './languageModel.ts'

const activations: Readonly<Record<Gpt2Config['activation_function'], Activation>> = {
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  relu: 'relu',
}

/** x + attention(norm(x)), then x + feedForward(norm(x)): the pre-norm block of GPT-2. */
export const gptBlock = (config: Gpt2Config): Block => {
  const { n_embd: width, n_head: heads, n_layer, bias, layer_norm_epsilon: epsilon, resid_pdrop: rate } = config
  const projectionDeviation = config.initializer_range / Math.sqrt(2 * n_layer)
  const attention = selfAttention({ width, heads, causal: true, bias, projectionDeviation })
  const activation = activations[config.activation_function]
  const hidden = config.n_inner ?? 4 * width
  const mlp = feedForward({ width, hidden, activation, bias, projectionDeviation })
  const norm = (name: string): Operator<Hidden, Hidden> => layerNorm({ name, bias, epsilon })
  const drop = (name: string): Operator<Hidden, Hidden> => dropout(name, rate)
  return {
    attention: residual(sequence(norm('ln_1'), scoped('attn', attention), drop('attn.dropout'))),
    feedForward: residual(sequence(norm('ln_2'), scoped('mlp', mlp), drop('mlp.dropout'))),
  }
}

/**
 * GPT-2 (Radford et al. 2019) under Hugging Face's parameter names. `embd_pdrop` and `resid_pdrop` act while training; attention weights are not
 * dropped (`attn_pdrop` is read and kept in the file).
 */
export const gpt = (config: Gpt2Config): LanguageModel => {
  const {
    vocab_size: vocabulary,
    n_embd: width,
    n_positions: positions,
    n_layer,
    bias,
    layer_norm_epsilon: epsilon,
  } = config
  const { trunk, tail } = blocks('h', n_layer, gptBlock(config))
  const embed = sequence(
    embedding({ name: 'wte', vocabulary, width }),
    learnedPositions({ name: 'wpe', positions, width }),
    dropoutOf('drop', config.embd_pdrop),
  )
  return {
    trunk: compose(embed, trunk),
    tail: compose(tail, layerNorm({ name: 'ln_f', bias, epsilon })),
    head: config.tie_word_embeddings
      ? unembedding({ name: 'wte', vocabulary })
      : linear({ name: 'lm_head', from: 'width', to: 'vocabulary', width: vocabulary, bias: false, layout: 'torch' }),
    positions,
    vocabulary,
  }
}

const dropoutOf = (name: string, rate: number): Operator<Hidden, Hidden> => dropout(name, rate)
