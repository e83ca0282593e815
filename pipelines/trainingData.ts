import { trainCharacterTokenizer } from '../operators/token/character.ts'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import { trainByteLevelBpe } from '../operators/token/trainByteLevelBpe.ts'
import { InputError } from '../src/errors.ts'
import type { TokenizerChoice } from './presets.ts'

/** A text in two parts by characters, the held-out one at the end. */
export interface SplitText {
  readonly training: string
  readonly validation: string
}

export const splitText = (text: string, validation: number): SplitText => {
  const at = Math.floor(text.length * (1 - validation))
  return { training: text.slice(0, at), validation: text.slice(at) }
}

export const END_OF_TEXT = '<|endoftext|>'

/** Learns a tokenizer: characters from the whole text, as nanoGPT does, merges from the training part alone. */
export const learnTokenizer = (choice: TokenizerChoice, { training, validation }: SplitText): Tokenizer =>
  choice === 'characters'
    ? trainCharacterTokenizer([training, validation])
    : trainByteLevelBpe([training], { vocabularySize: choice.bpe, specialTokens: [END_OF_TEXT] })

/** Ids of both parts; a text too short for a window says so. */
export const encodeParts = (
  tokenizer: Tokenizer,
  { training, validation }: SplitText,
  block: number,
): { readonly training: Int32Array; readonly validation: Int32Array } => {
  const ids = { training: tokenizer.encode(training), validation: tokenizer.encode(validation) }
  if (ids.training.length <= block)
    throw new InputError(`training text: expected more than ${block} tokens, one block, found ${ids.training.length}`)
  return ids
}
