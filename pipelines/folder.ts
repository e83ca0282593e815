/** Models as Hugging Face folders: config.json, model.safetensors (or shards with an index), generation_config.json, tokenizer.json. */
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { tokenizerFileNames } from '../operators/token/loadTokenizer.ts'
import type { Tokenizer } from '../operators/token/tokenizer.ts'
import { tokenizerConfigJson, tokenizerJson } from '../operators/token/tokenizerJson.ts'
import { orThrow } from '../src/codec/decode.ts'
import { GenerationConfig } from '../src/codec/generation.ts'
import { encodeModelConfig, type ModelConfig } from '../src/codec/model.ts'
import type { Engine } from '../src/engine/engine.ts'
import { InputError } from '../src/errors.ts'
import type { HostTensors } from '../src/format/hostTensor.ts'
import { hostTensors, readSafetensors, safetensorsPieces } from '../src/format/safetensors.ts'
import { shard } from '../src/format/shards.ts'
import { createFolder, jsonPieces, onPath, type Pieces, readBytes, replaceFile, textPieces } from './files.ts'
import {
  CONFIG,
  configOf,
  type FileSource,
  GENERATION_CONFIG,
  type ModelFiles,
  type OpenedModel,
  openModelFiles,
  readModel,
  TOKENIZER,
  WEIGHTS,
  WEIGHTS_INDEX,
} from './modelFiles.ts'

const TOKENIZER_CONFIG = 'tokenizer_config.json'

/** Other loaders ask for it before they read a file of PyTorch's layout. */
export const METADATA = { format: 'pt' }

/** The files of a folder. */
export const folderSource = (folder: string): FileSource => {
  if (!onPath(folder, () => statSync(folder)).isDirectory())
    throw new InputError(`${folder}: expected a folder, found a file`)
  const read = (name: string): Uint8Array | null => {
    const path = join(folder, name)
    return existsSync(path) ? readBytes(path) : null
  }
  return { where: folder, read }
}

/** Reads and checks a folder's configuration alone. */
export const readConfig = (folder: string): ModelConfig => configOf(folderSource(folder))

/** Reads a model folder, or throws an InputError that names the file, and in it the field or tensor. */
export const readFolder = (folder: string): ModelFiles => readModel(folderSource(folder))

/** Opens a model folder on an engine. */
export const openModel = async (folder: string, engine: Engine): Promise<OpenedModel> =>
  openModelFiles(folderSource(folder), engine)

/** Bytes of a checkpoint's numbers. */
export const bytesOfWeights = (tensors: HostTensors): number =>
  [...tensors.values()].reduce((bytes, { data }) => bytes + data.byteLength, 0)

/** Writes a changed model of `folder` to `out`, with the files of its tokenizer. */
export const rewriteFolder = (folder: string, model: ModelFiles, out: string): void => {
  const text = new TextDecoder('utf-8', { ignoreBOM: true })
  const there = tokenizerFileNames.flat().filter(name => existsSync(join(folder, name)))
  const files = new Map(
    there.map(name => [name, onPath(join(folder, name), () => text.decode(readBytes(join(folder, name))))]),
  )
  writeFolder(out, { ...model, files })
}

/** Tensors of one safetensors file. */
export const readTensors = (path: string): HostTensors => hostTensors(orThrow(readSafetensors(readBytes(path), path)))

/** The files of a tokenizer. */
export const tokenizerPieces = (tokenizer: Tokenizer): [string, Pieces][] => [
  [TOKENIZER, textPieces(tokenizerJson(tokenizer))],
  [TOKENIZER_CONFIG, textPieces(tokenizerConfigJson(tokenizer))],
]

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
export const writeFolder = (folder: string, contents: ModelContents, shardBytes = Infinity): void =>
  writeFiles(folder, modelFiles(contents, shardBytes))

/** Refuses to write where a model is already: its files would be lost, or mix with those of another. */
export const expectNoModel = (folder: string): void => {
  if (existsSync(join(folder, CONFIG))) throw new InputError(`${folder}: holds a model already; choose another folder`)
}

/** `writeFolder` of files by name. */
export const writeFiles = (folder: string, files: ReadonlyMap<string, Pieces>): void => {
  if (existsSync(folder)) for (const [name, pieces] of files) replaceFile(join(folder, name), pieces)
  else createFolder(resolve(folder), files)
}
