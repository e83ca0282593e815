/**
 * Models as Hugging Face folders: config.json, model.safetensors (or shards with an index), generation_config.json,
 * tokenizer.json. Everything is decoded and checked here, once.
 */
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import { decode, orThrow } from '../src/codec/decode.ts'
import { GenerationConfig } from '../src/codec/generation.ts'
import { parseJson } from '../src/codec/json.ts'
import { decodeModelConfig, encodeModelConfig, type ModelConfig } from '../src/codec/model.ts'
import { InputError } from '../src/errors.ts'
import type { HostTensors } from '../src/format/host-tensor.ts'
import { modelTensors } from '../src/format/model-tensors.ts'
import { hostTensors, readSafetensors, safetensorsPieces } from '../src/format/safetensors.ts'
import { joinShards, readShardIndex, shard } from '../src/format/shards.ts'
import { createFolder, jsonPieces, onPath, type Pieces, readBytes, replaceFile, textPieces } from './files.ts'

export const CONFIG = 'config.json'
export const GENERATION_CONFIG = 'generation_config.json'
export const TOKENIZER = 'tokenizer.json'
export const WEIGHTS = 'model.safetensors'
export const WEIGHTS_INDEX = 'model.safetensors.index.json'
/** Other loaders ask for it before they read a file of PyTorch's layout. */
const METADATA = { format: 'pt' }

/** A model read from a folder. */
export interface ModelFolder {
  readonly path: string
  readonly config: ModelConfig
  /** Under normalised names, checked against the configuration; they share the file's memory. */
  readonly tensors: HostTensors
  /** Defaults for generation; all null or empty where the folder has none. */
  readonly generation: GenerationConfig
  /** Path of tokenizer.json, or null. */
  readonly tokenizer: string | null
}

/** A model to be written to a folder. */
export interface ModelContents {
  readonly config: ModelConfig
  readonly tensors: HostTensors
  readonly generation?: GenerationConfig
  /** The JSON value of tokenizer.json. */
  readonly tokenizer?: unknown
  /** Further text files by name. */
  readonly files?: ReadonlyMap<string, string>
}

/** Tensors of one safetensors file. */
export const readTensors = (path: string): HostTensors => hostTensors(orThrow(readSafetensors(readBytes(path), path)))

const readJson = (path: string): E.Either<InputError, unknown> => parseJson(readBytes(path), path)

const readWeights = (folder: string): HostTensors => {
  const single = join(folder, WEIGHTS)
  if (existsSync(single)) return readTensors(single)
  const index = join(folder, WEIGHTS_INDEX)
  if (!existsSync(index)) throw new InputError(`${folder}: expected ${WEIGHTS} or ${WEIGHTS_INDEX}, found neither`)
  const weightMap = orThrow(readShardIndex(readBytes(index), index))
  const files = new Map(
    Array.from(new Set(weightMap.values()), name => {
      const path = join(folder, name)
      return [name, orThrow(readSafetensors(readBytes(path), path))]
    }),
  )
  return orThrow(joinShards(weightMap, files, index))
}

/** Reads and checks the configuration alone. */
export const readConfig = (folder: string): ModelConfig => {
  const path = join(folder, CONFIG)
  return orThrow(
    pipe(
      readJson(path),
      E.chain(value => decodeModelConfig(value, path)),
    ),
  )
}

/** Reads a model folder, or throws an InputError that names the file, and in it the field or tensor. */
export const readFolder = (folder: string): ModelFolder => {
  if (!onPath(folder, () => statSync(folder)).isDirectory())
    throw new InputError(`${folder}: expected a folder, found a file`)
  const config = readConfig(folder)
  const tensors = orThrow(modelTensors(config, readWeights(folder), folder))
  const generationPath = join(folder, GENERATION_CONFIG)
  const generation = orThrow(
    pipe(
      existsSync(generationPath) ? readJson(generationPath) : E.right({}),
      E.chain(value => decode(GenerationConfig, value, generationPath)),
    ),
  )
  const tokenizer = join(folder, TOKENIZER)
  return { path: folder, config, tensors, generation, tokenizer: existsSync(tokenizer) ? tokenizer : null }
}

/** The files of a model folder. Weights above `shardBytes` are split into shards. */
export const modelFiles = (contents: ModelContents, shardBytes = Infinity): ReadonlyMap<string, Pieces> => {
  const { config, tensors, generation, tokenizer, files = new Map<string, string>() } = contents
  const written = new Map<string, Pieces>([[CONFIG, jsonPieces(encodeModelConfig(config))]])
  if (generation !== undefined) written.set(GENERATION_CONFIG, jsonPieces(GenerationConfig.encode(generation)))
  if (tokenizer !== undefined) written.set(TOKENIZER, textPieces(JSON.stringify(tokenizer)))
  for (const [name, text] of files) written.set(name, textPieces(text))
  const shards = shard(tensors, shardBytes)
  if (shards.files.size <= 1) return written.set(WEIGHTS, safetensorsPieces(tensors, METADATA))
  for (const [name, held] of shards.files) written.set(name, safetensorsPieces(held, METADATA))
  return written.set(WEIGHTS_INDEX, textPieces(shards.index))
}

/**
 * Writes a model folder. A new folder appears as a whole or not at all. In one that exists, each file is replaced as a whole
 * and other files stay.
 */
export const writeFolder = (folder: string, contents: ModelContents, shardBytes = Infinity): void => {
  const files = modelFiles(contents, shardBytes)
  if (existsSync(folder)) for (const [name, pieces] of files) replaceFile(join(folder, name), pieces)
  else createFolder(resolve(folder), files)
}
