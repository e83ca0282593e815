import { InputError } from '../src/errors.ts'
import type { GenerationModel } from './generate.ts'

/** Token ids of a prompt: what the tokenizer puts before a text, then the text; where both are empty, the token that begins a text. */
export const promptIds = ({ tokenizer, beginId = null, model }: GenerationModel, prompt: string): Int32Array => {
  const ids = tokenizer.encode(prompt, { addSpecial: true })
  const end = ids.length - tokenizer.suffix.length
  if (end > 0) return ids.subarray(0, end)
  if (beginId === null)
    throw new InputError('prompt: expected text, found none, and the model has no token that begins a text')
  if (beginId >= model.vocabulary)
    throw new InputError(`bos_token_id: expected an id below the vocabulary's ${model.vocabulary}, found ${beginId}`)
  return Int32Array.of(beginId)
}
