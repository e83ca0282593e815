import type { ModelConfig } from '../src/codec/model.ts'
import { gpt } from './gpt.ts'
import type { LanguageModel } from './languageModel.ts'
import { llama } from './llama.ts'

/** The model of a configuration: every architecture that opens is one line here. */
export const modelOf = (config: ModelConfig): LanguageModel =>
  config.model_type === 'gpt2' ? gpt(config) : llama(config)
