/** A diffusion model's files, from wherever they come: config.json and model.safetensors. Everything is checked here, once; nothing here needs Node. */
import type { NoiseSchedule } from '../../operators/diffusion/index.ts'
import type { Tokenizer } from '../../operators/token/tokenizer.ts'
import { decode, orThrow } from '../../src/codec/decode.ts'
import { DenoisingConfig } from '../../src/codec/denoising.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { InputError } from '../../src/errors.ts'
import type { HostTensors } from '../../src/format/hostTensor.ts'
import { checkTensors } from '../../src/format/modelTensors.ts'
import { configBy, type FileSource, tokenizerOf, weightsOf } from '../modelFiles.ts'
import { upload } from '../parameters.ts'
import type { ClassConditionalModel, TextConditionalModel } from './network.ts'
import { denoisingNetwork, denoisingParameters } from './networkOf.ts'
import { scheduleOf } from './scheduleOf.ts'

/** A diffusion model opened on an engine. */
export interface OpenedDenoiser {
  readonly config: DenoisingConfig
  readonly model: ClassConditionalModel | TextConditionalModel
  /** Those of the autoencoder among them. */
  readonly parameters: Named
  readonly schedule: NoiseSchedule
  /** What reads the texts it is told; null where it is told classes. */
  readonly tokenizer: Tokenizer | null
}

/** A diffusion model's files, checked against each other. */
export interface DenoiserFiles {
  readonly config: DenoisingConfig
  readonly tensors: HostTensors
  /** What reads the texts it is told; null where it is told classes. */
  readonly tokenizer: Tokenizer | null
}

/** Configuration, weights and tokenizer, or an InputError that names the file, and in it the field or tensor. */
export const readDenoiser = (source: FileSource): DenoiserFiles => {
  const config = configBy(source, 'a diffusion model', (value, path) => decode(DenoisingConfig, value, path))
  const shapes = new Map([...denoisingParameters(config)].map(([name, { shape }]) => [name, shape]))
  const tensors = orThrow(checkTensors(shapes, weightsOf(source), source.where))
  const { text_encoder } = config
  const tokenizer = text_encoder === null ? null : tokenizerOf(source)
  if (tokenizer !== null && text_encoder !== null && tokenizer.vocabularySize > text_encoder.vocab_size)
    throw new InputError(
      `${source.where}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${text_encoder.vocab_size}`,
    )
  return { config, tensors, tokenizer }
}

export const openDenoiserFiles = (source: FileSource, engine: Engine): OpenedDenoiser => {
  const { config, tensors, tokenizer } = readDenoiser(source)
  return {
    config,
    model: denoisingNetwork(config),
    parameters: upload(tensors, engine),
    schedule: scheduleOf(config),
    tokenizer,
  }
}
