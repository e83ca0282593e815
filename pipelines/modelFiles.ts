/**
 * The files of a model, from wherever they come: a folder, a download, a test. Everything is decoded and checked here, once; nothing
 * here needs Node.
 */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { loadTokenizer, tokenizerFileNames } from '../operators/token/loadTokenizer.ts'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import { decode, orThrow } from '../src/codec/decode.ts'
import { GenerationConfig } from '../src/codec/generation.ts'
import { parseJson } from '../src/codec/json.ts'
import { kindOf, type ModelKind, ofKind } from '../src/codec/kind.ts'
import { decodeModelConfig, type ModelConfig } from '../src/codec/model.ts'
import type { Engine } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { modelTensors } from '../src/format/modelTensors.ts'
import { hostTensors, readSafetensors } from '../src/format/safetensors.ts'
import { joinShards, readShardIndex } from '../src/format/shards.ts'
import type { GenerationModel } from './generate.ts'
import { modelOf } from './model.ts'
import { uploadWeights } from './parameters.ts'

export const CONFIG = 'config.json'
export const GENERATION_CONFIG = 'generation_config.json'
export const TOKENIZER = 'tokenizer.json'
export const WEIGHTS = 'model.safetensors'
export const WEIGHTS_INDEX = 'model.safetensors.index.json'

/** Where files come from. Errors name a file as `<where>/<name>`. */
export interface FileSource {
  readonly where: string
  /** A file's bytes, or null where there is none. */
  readonly read: (name: string) => Uint8Array | null
}

/** What a model's files say, checked against each other. */
export interface ModelFiles {
  readonly config: ModelConfig
  /** Under normalised names; they share the files' memory. */
  readonly tensors: HostTensors
  /** Defaults for generation; all null or empty where there is no such file. */
  readonly generation: GenerationConfig
}

/** A file that must be there. */
export const needed = ({ where, read }: FileSource, name: string): Uint8Array => {
  const bytes = read(name)
  if (bytes === null) throw new InputError(`${where}/${name}: no such file or folder`)
  return bytes
}

/** The tensors of a model's file or shards. */
export const weightsOf = (source: FileSource): HostTensors => {
  const { where, read } = source
  const single = read(WEIGHTS)
  if (single !== null) return hostTensors(orThrow(readSafetensors(single, `${where}/${WEIGHTS}`)))
  const index = read(WEIGHTS_INDEX)
  if (index === null) throw new InputError(`${where}: expected ${WEIGHTS} or ${WEIGHTS_INDEX}, found neither`)
  const weightMap = orThrow(readShardIndex(index, `${where}/${WEIGHTS_INDEX}`))
  const files = new Map(
    Array.from(new Set(weightMap.values()), name => [
      name,
      orThrow(readSafetensors(needed(source, name), `${where}/${name}`)),
    ]),
  )
  return orThrow(joinShards(weightMap, files, `${where}/${WEIGHTS_INDEX}`))
}

/** Of what kind a model is. */
export const modelKind = (source: FileSource): ModelKind => {
  const path = `${source.where}/${CONFIG}`
  return orThrow(
    pipe(
      parseJson(needed(source, CONFIG), path),
      E.chain(value => kindOf(value, path)),
    ),
  )
}

/** Reads the configuration alone, which must not be that of another kind, by what checks it. */
export const configBy = <A>(
  source: FileSource,
  kind: ModelKind,
  decode: (value: unknown, path: string) => E.Either<InputError, A>,
): A => {
  const path = `${source.where}/${CONFIG}`
  return orThrow(
    pipe(
      parseJson(needed(source, CONFIG), path),
      E.chain(ofKind(kind, source.where)),
      E.chain(value => decode(value, path)),
    ),
  )
}

/** Reads and checks the configuration of a language model alone. */
export const configOf = (source: FileSource): ModelConfig => configBy(source, 'a language model', decodeModelConfig)

/** Reads a model's files, or throws an InputError that names the file, and in it the field or tensor. */
export const readModel = (source: FileSource): ModelFiles => {
  const config = configOf(source)
  const tensors = orThrow(modelTensors(config, weightsOf(source), source.where))
  const path = `${source.where}/${GENERATION_CONFIG}`
  const bytes = source.read(GENERATION_CONFIG)
  const generation = orThrow(
    pipe(
      bytes === null ? E.right({}) : parseJson(bytes, path),
      E.chain(value => decode(GenerationConfig, value, path)),
    ),
  )
  return { config, tensors, generation }
}

/** A model opened on an engine: everything that generating and evaluating need. */
export interface OpenedModel extends GenerationModel {
  readonly config: ModelConfig
  readonly generation: GenerationConfig
  readonly endIds: readonly number[]
  readonly beginId: number | null
}

const listOf = (ids: number | readonly number[] | null): readonly number[] =>
  ids === null ? [] : typeof ids === 'number' ? [ids] : ids

/** The tokenizer of a model's files. */
export const tokenizerOf = (source: FileSource): Tokenizer => {
  const found = tokenizerFileNames.map(names =>
    names.flatMap(name => {
      const bytes = source.read(name)
      return bytes === null ? [] : [{ name: `${source.where}/${name}`, bytes }]
    }),
  )
  const files = found.find((set, i) => set[0]?.name.endsWith(`/${tokenizerFileNames[i]?.[0]}`))
  if (files === undefined) throw new InputError(`${source.where}: expected ${TOKENIZER}, found none`)
  return loadTokenizer(files)
}

/**
 * Opens a language model from its Hugging Face files: config.json, weights, tokenizer.json. `endIds` and `beginId` are those of the generation
 * configuration, else of the model's.
 */
export const openModelFiles = (source: FileSource, engine: Engine): OpenedModel => {
  const { config, tensors, generation } = readModel(source)
  const tokenizer = tokenizerOf(source)
  if (tokenizer.vocabularySize > config.vocab_size)
    throw new InputError(
      `${source.where}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${config.vocab_size}`,
    )
  return {
    config,
    model: modelOf(config),
    parameters: uploadWeights(config, tensors, engine),
    tokenizer,
    generation,
    endIds: generation.eos_token_id.length > 0 ? generation.eos_token_id : listOf(config.eos_token_id),
    beginId: generation.bos_token_id ?? config.bos_token_id,
  }
}
