/** A diffusion model's files, from wherever they come: config.json and model.safetensors. Everything is checked here, once; nothing here needs Node. */
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as t from 'io-ts'
import type { NoiseSchedule } from '../../operators/diffusion/index.ts'
import { decode, orThrow } from '../../src/codec/decode.ts'
import { DenoisingConfig } from '../../src/codec/denoising.ts'
import { only } from '../../src/codec/fields.ts'
import { parseJson } from '../../src/codec/json.ts'
import type { Named } from '../../src/context.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { HostTensors } from '../../src/format/hostTensor.ts'
import { checkTensors } from '../../src/format/modelTensors.ts'
import { parametersOf } from '../../src/initialize.ts'
import { CONFIG, type FileSource, needed, weightsOf } from '../modelFiles.ts'
import { upload } from '../parameters.ts'
import type { ClassConditionalModel } from './network.ts'
import { networkOf, sampleInput } from './networkOf.ts'
import { scheduleOf } from './scheduleOf.ts'

/** A diffusion model opened on an engine. */
export interface OpenedDenoiser {
  readonly config: DenoisingConfig
  readonly model: ClassConditionalModel
  readonly parameters: Named
  readonly schedule: NoiseSchedule
}

const Kind = t.type({ model_type: only('denoising-diffusion') })

/** Whether a model's files are those of a diffusion model. */
export const holdsDenoiser = (source: FileSource): boolean =>
  Kind.is(orThrow(parseJson(needed(source, CONFIG), `${source.where}/${CONFIG}`)))

/** Configuration and weights, or an InputError that names the file, and in it the field or tensor. */
export const readDenoiser = (
  source: FileSource,
): { readonly config: DenoisingConfig; readonly tensors: HostTensors } => {
  const path = `${source.where}/${CONFIG}`
  const config = orThrow(
    pipe(
      parseJson(needed(source, CONFIG), path),
      E.chain(value => decode(DenoisingConfig, value, path)),
    ),
  )
  const specs = parametersOf(networkOf(config.network), sampleInput(config.network))
  const shapes = new Map([...specs].map(([name, { shape }]) => [name, shape]))
  return { config, tensors: orThrow(checkTensors(shapes, weightsOf(source), source.where)) }
}

export const openDenoiserFiles = (source: FileSource, engine: Engine): OpenedDenoiser => {
  const { config, tensors } = readDenoiser(source)
  return {
    config,
    model: networkOf(config.network),
    parameters: upload(tensors, engine),
    schedule: scheduleOf(config),
  }
}
