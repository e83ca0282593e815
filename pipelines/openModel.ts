import type { GenerationConfig } from '../src/codec/generation.ts'
import type { ModelConfig } from '../src/codec/model.ts'
import type { Engine } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import { readFolder } from './folder.ts'
import type { GenerationModel } from './generate.ts'
import { modelOf } from './model.ts'
import { upload } from './parameters.ts'
import { openTokenizer } from './tokenizer-files.ts'

/** A model folder opened on an engine: everything that generating and evaluating need. */
export interface OpenedModel extends GenerationModel {
  readonly config: ModelConfig
  readonly generation: GenerationConfig
  readonly endIds: readonly number[]
  readonly beginId: number | null
}

const listOf = (ids: number | readonly number[] | null): readonly number[] =>
  ids === null ? [] : typeof ids === 'number' ? [ids] : ids

/** Opens a Hugging Face folder of a language model: config.json, weights, tokenizer.json. Errors name the file and the field. */
export const openModel = async (path: string, engine: Engine): Promise<OpenedModel> => {
  const folder = readFolder(path)
  const { config, generation } = folder
  if (folder.tokenizer === null) throw new InputError(`${path}: expected tokenizer.json, found none`)
  const tokenizer = await openTokenizer(path)
  if (tokenizer.vocabularySize > config.vocab_size)
    throw new InputError(
      `${path}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${config.vocab_size}`,
    )
  return {
    config,
    model: modelOf(config),
    parameters: upload(folder.tensors, engine),
    tokenizer,
    generation,
    endIds: generation.eos_token_id.length > 0 ? generation.eos_token_id : listOf(config.eos_token_id),
    beginId: generation.bos_token_id ?? config.bos_token_id,
  }
}
