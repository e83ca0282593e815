import type { Named } from '../../src/context.ts'
import { readAutoencoder } from '../diffusion/autoencoderFolder.ts'
import { type AutoencoderInspection, inspectAutoencoder as inspect } from '../diffusion/inspectAutoencoder.ts'
import { type AutoencoderMeasurement, measureAutoencoder } from '../diffusion/measureAutoencoder.ts'
import { folderSource } from '../folder.ts'
import { upload } from '../parameters.ts'
import type { Flags } from './common.ts'
import { bytes, type Measured, measuredRows, picturesRows, table, typesOf } from './inspectionText.ts'
import { grouped, type Printer } from './printer.ts'
import { type Inspected, reportInspection } from './reportInspection.ts'

const textOf = (
  types: readonly string[],
  engine: string,
  { parameters, tensors, picture, latent, flops, bytes: moved, memory }: AutoencoderInspection,
  measured: readonly Measured<AutoencoderMeasurement>[],
) =>
  `${table(tensors.map(({ name, shape }) => [name, `[${shape.join(', ')}]`]))}\n${table([
    ['model', `vae, stored as ${types.join(', ')}`],
    ['parameters', grouped(parameters)],
    ['picture', `${picture.join(' x ')}: channels, height, width`],
    ['latent', latent.join(' x ')],
    ['FLOPs a picture', `${grouped(flops.encode)} to encode, ${grouped(flops.decode)} to decode`],
    ['FLOPs a picture, training', grouped(flops.train)],
    ['moved a picture', `${bytes(moved.encode)} to encode, ${bytes(moved.decode)} to decode`],
    ['moved a picture, training', bytes(moved.train)],
    ['memory, parameters', bytes(memory.parameters)],
    ['memory, one picture', `${bytes(memory.encode)} at most to encode, ${bytes(memory.decode)} to decode`],
    ['memory, training', `${bytes(memory.train)} at most for one picture, without the optimizer's`],
    ['engine', engine],
    ...measured.flatMap(each =>
      measuredRows(each, [...picturesRows(each.encode, 'encoding '), ...picturesRows(each.decode, 'decoding ')]),
    ),
  ])}`

/** A folder of an autoencoder: what it is and costs. */
export const inspectAutoencoder = async (folder: string, flags: Flags, say: Printer): Promise<void> => {
  const { config, tensors } = readAutoencoder(folderSource(folder))
  const inspection = inspect(config)
  const types = typesOf(tensors)
  const inspected: Inspected<Named, AutoencoderMeasurement> = {
    told: { model: config.model_type, ...inspection, types },
    upload: engine => upload(tensors, engine),
    measure: (parameters, engine) => measureAutoencoder(config, parameters, engine),
    textOf: (_, backend, measured) => textOf(types, backend, inspection, measured),
  }
  await reportInspection(inspected, flags, say)
}
