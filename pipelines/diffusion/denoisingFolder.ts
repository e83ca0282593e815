/** Diffusion models as folders: config.json, model.safetensors. */
import { DenoisingConfig } from '../../src/codec/denoising.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { safetensorsPieces } from '../../src/format/safetensors.ts'
import { jsonPieces, type Pieces } from '../files.ts'
import { folderSource, METADATA, tokenizerPieces } from '../folder.ts'
import { CONFIG, WEIGHTS } from '../modelFiles.ts'
import { type DenoiserFiles, type OpenedDenoiser, openDenoiserFiles } from './denoisingFiles.ts'

/** Opens a diffusion model's folder on an engine. */
export const openDenoiser = (folder: string, engine: Engine): OpenedDenoiser =>
  openDenoiserFiles(folderSource(folder), engine)

/** The files of a diffusion model's folder. */
export const denoiserFiles = ({ config, tensors, tokenizer }: DenoiserFiles): ReadonlyMap<string, Pieces> =>
  new Map([
    [CONFIG, jsonPieces(DenoisingConfig.encode(config))],
    ...(tokenizer === null ? [] : tokenizerPieces(tokenizer)),
    [WEIGHTS, safetensorsPieces(tensors, METADATA)],
  ])
