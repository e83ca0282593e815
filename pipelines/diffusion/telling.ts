import { words } from '../../operators/token/index.ts'
import type { Tokenizer } from '../../operators/token/tokenizer.ts'
import type { DenoisingConfig } from '../../src/codec/denoising.ts'
import { InputError } from '../../src/errors.ts'
import type { Tokens } from '../../src/tensor/tokens.ts'
import { captionTelling, textTokens } from './latentBatches.ts'
import { classTelling, type Telling } from './pictureBatches.ts'

/** What reads the texts of a model that is told texts; null where it is told classes. */
export interface Told {
  readonly config: DenoisingConfig
  readonly tokenizer: Tokenizer | null
}

/** How a model is told what pictures show while it learns. */
export const tellingOf = ({ config, tokenizer }: Told): Telling =>
  config.text_encoder === null || tokenizer === null
    ? classTelling(config.class_names.length)
    : captionTelling({ tokenizer, length: config.text_encoder.n_positions, captions: config.captions })

const WORDS_SHOWN = 40

/** Words that the model has never seen are refused rather than drawn as something else. */
const checkWords = (tokenizer: Tokenizer, text: string): void => {
  const unknown = tokenizer.specialTokens.get('<unk>')
  const foreign = words(text).find(word => tokenizer.encode(word)[0] === unknown)
  if (unknown === undefined || foreign === undefined) return
  const special = new Set(tokenizer.specialTokens.values())
  const known = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter(id => !special.has(id))
  const list = known.slice(0, WORDS_SHOWN).map(id => tokenizer.token(id))
  throw new InputError(
    `prompt: expected words among ${list.join(', ')}${known.length > WORDS_SHOWN ? ', …' : ''}; found ${JSON.stringify(foreign)}`,
  )
}

/** Class ids or texts as a model is told them. A model told texts takes a class id for its first caption, one told classes a name for its id; null says nothing. */
export const told = (model: Told, shown: readonly (number | string | null)[]): Tokens => {
  const { config, tokenizer } = model
  if (config.text_encoder === null || tokenizer === null) {
    const ids = shown.map(label => {
      if (typeof label !== 'string') return label
      const id = config.class_names.indexOf(label)
      if (id >= 0) return id
      throw new InputError(`class: expected one of ${config.class_names.join(', ')}; found ${JSON.stringify(label)}`)
    })
    return tellingOf(model)(ids, null)
  }
  const texts = shown.map(label => (typeof label === 'number' ? config.captions[label]?.[0] : label) ?? '')
  for (const text of new Set(texts)) checkWords(tokenizer, text)
  return textTokens(tokenizer, texts, config.text_encoder.n_positions)
}
