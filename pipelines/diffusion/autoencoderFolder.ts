/** Autoencoders as folders: config.json, model.safetensors. */
import { decode, orThrow } from '../../src/codec/decode.ts'
import { VaeConfig } from '../../src/codec/vae.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { HostTensors } from '../../src/format/hostTensor.ts'
import { checkTensors } from '../../src/format/modelTensors.ts'
import { safetensorsPieces } from '../../src/format/safetensors.ts'
import { jsonPieces, type Pieces } from '../files.ts'
import { folderSource, METADATA } from '../folder.ts'
import { CONFIG, configBy, type FileSource, WEIGHTS, weightsOf } from '../modelFiles.ts'
import { upload } from '../parameters.ts'
import { type Autoencoder, autoencoderOf } from './latent.ts'
import { vae } from './vae.ts'
import { vaeParameters } from './vaeRun.ts'

export interface AutoencoderFiles {
  readonly config: VaeConfig
  readonly tensors: HostTensors
}

/** Configuration and weights, or an InputError that names the file, and in it the field or tensor. */
export const readAutoencoder = (source: FileSource): AutoencoderFiles => {
  const config = configBy(source, 'an autoencoder', (value, path) => decode(VaeConfig, value, path))
  const shapes = new Map([...vaeParameters(config)].map(([name, { shape }]) => [name, shape]))
  return { config, tensors: orThrow(checkTensors(shapes, weightsOf(source), source.where)) }
}

/** Opens an autoencoder's folder on an engine. */
export const openAutoencoder = (folder: string, engine: Engine): Autoencoder => {
  const { config, tensors } = readAutoencoder(folderSource(folder))
  return autoencoderOf(vae(config), upload(tensors, engine), config.scaling_factor)
}

/** The files of an autoencoder's folder. */
export const autoencoderFiles = ({ config, tensors }: AutoencoderFiles): ReadonlyMap<string, Pieces> =>
  new Map([
    [CONFIG, jsonPieces(VaeConfig.encode(config))],
    [WEIGHTS, safetensorsPieces(tensors, METADATA)],
  ])
