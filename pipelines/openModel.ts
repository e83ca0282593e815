import type { Tokenizer } from '../operators/token/tokenizer.ts'
import type { GenerationConfig } from '../src/codec/generation.ts'
import type { ModelConfig } from '../src/codec/model.ts'
import type { Named } from '../src/context.ts'
import type { Engine } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import { readFolder } from './folder.ts'
import type { LanguageModel } from './languageModel.ts'
import { modelOf } from './model.ts'
import { upload } from './parameters.ts'
import { openTokenizer } from './tokenizer-files.ts'

/** A model folder opened on an engine: everything that generating and evaluating need. */
export interface OpenedModel {
  readonly config: ModelConfig
  readonly model: LanguageModel
  readonly parameters: Named
  readonly tokenizer: Tokenizer
  readonly generation: GenerationConfig
  /** Ids that end a text: of the generation configuration, else of the model's. */
  readonly endIds: readonly number[]
  /** The id that begins a text, where there is one. */
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

/** Token ids of a prompt: what the tokenizer puts before a text, then the text; where both are empty, the token that begins a text. */
export const promptIds = ({ tokenizer, beginId, config }: OpenedModel, prompt: string): Int32Array => {
  const ids = tokenizer.encode(prompt, { addSpecial: true })
  const end = ids.length - tokenizer.suffix.length
  if (end > 0) return ids.subarray(0, end)
  if (beginId === null)
    throw new InputError('prompt: expected text, found none, and the model has no token that begins a text')
  if (beginId >= config.vocab_size)
    throw new InputError(`bos_token_id: expected an id below the vocabulary's ${config.vocab_size}, found ${beginId}`)
  return Int32Array.of(beginId)
}
