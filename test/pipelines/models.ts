/** Small models of every architecture, for laws that hold for all of them. */
import { gpt } from '../../pipelines/gpt.ts'
import { everyLogits, type LanguageModel } from '../../pipelines/languageModel.ts'
import { llama } from '../../pipelines/llama.ts'
import { decodeOrThrow } from '../../src/codec/decode.ts'
import { Gpt2Config } from '../../src/codec/gpt2.ts'
import { LlamaConfig } from '../../src/codec/llama.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { initialize } from '../../src/initialize.ts'
import { key } from '../../src/random.ts'
import { tokens } from '../../src/tensor/tokens.ts'

export const VOCABULARY = 11

const gpt2 = { vocab_size: VOCABULARY, n_positions: 24, n_embd: 16, n_layer: 2, n_head: 4, initializer_range: 0.3 }

const gptConfig = (more: object = {}): Gpt2Config => decodeOrThrow(Gpt2Config, { ...gpt2, ...more }, 'config')

const llamaConfig = decodeOrThrow(
  LlamaConfig,
  {
    vocab_size: VOCABULARY,
    hidden_size: 16,
    intermediate_size: 20,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 24,
    tie_word_embeddings: true,
  },
  'config',
)

export const models: Readonly<Record<string, LanguageModel>> = {
  gpt: gpt(gptConfig()),
  'gpt without biases, untied': gpt(gptConfig({ bias: false, tie_word_embeddings: false })),
  llama: llama(llamaConfig),
}

/** Parameters that make logits differ: the usual small deviation leaves them nearly flat. */
export const parametersFor = (model: LanguageModel, engine: Engine, seed = 1): Named =>
  initialize(everyLogits(model), tokens([0]), engine, key(seed))
