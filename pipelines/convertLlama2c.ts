import { tokenizerConfigJson, tokenizerJson } from '../operators/token/tokenizerJson.ts'
import { decodeOrThrow, orThrow } from '../src/codec/decode.ts'
import { GenerationConfig } from '../src/codec/generation.ts'
import type { LlamaConfig } from '../src/codec/llama.ts'
import { InputError } from '../src/errors.ts'
import { readLlama2c } from '../src/format/llama2c.ts'
import { readBytes } from './files.ts'
import { expectNoModel, writeFolder } from './folder.ts'
import { TOKENIZER } from './modelFiles.ts'
import { openTokenizer } from './tokenizerFiles.ts'

/** llama2.c's model.bin and tokenizer.bin as a Hugging Face Llama folder (law L12). Returns the model's configuration. */
export const convertLlama2c = async (modelPath: string, tokenizerPath: string, out: string): Promise<LlamaConfig> => {
  expectNoModel(out)
  const { config, tensors } = orThrow(readLlama2c(readBytes(modelPath), modelPath))
  const tokenizer = await openTokenizer(tokenizerPath)
  if (tokenizer.vocabularySize !== config.vocab_size)
    throw new InputError(
      `${tokenizerPath}: expected the ${config.vocab_size} tokens of ${modelPath}, found ${tokenizer.vocabularySize}`,
    )
  const { bos_token_id, eos_token_id } = config
  writeFolder(out, {
    config,
    tensors,
    generation: decodeOrThrow(GenerationConfig, { bos_token_id, eos_token_id }, 'generation'),
    files: new Map([
      [TOKENIZER, tokenizerJson(tokenizer)],
      ['tokenizer_config.json', tokenizerConfigJson(tokenizer)],
    ]),
  })
  return config
}
