import type { Named } from '../../src/context.ts'
import { readDenoiser } from '../diffusion/denoisingFiles.ts'
import { type DenoiserInspection, inspectDenoiser } from '../diffusion/inspectDenoiser.ts'
import { type DenoiserMeasurement, measureDenoiser } from '../diffusion/measureDenoiser.ts'
import { denoisingNetwork } from '../diffusion/networkOf.ts'
import { folderSource } from '../folder.ts'
import { upload } from '../parameters.ts'
import type { Flags } from './common.ts'
import { bytes, type Measured, measuredRows, picturesRows, table, typesOf } from './inspectionText.ts'
import { grouped, type Printer } from './printer.ts'
import { type Inspected, reportInspection } from './reportInspection.ts'

const textOf = (
  kind: string,
  engine: string,
  { parameters, tensors, picture, classes, flops, bytes: moved, memory }: DenoiserInspection,
  measured: readonly Measured<DenoiserMeasurement>[],
) =>
  `${table(tensors.map(({ name, shape }) => [name, `[${shape.join(', ')}]`]))}\n${table([
    ['model', kind],
    ['parameters', grouped(parameters)],
    ['picture', `${picture.join(' x ')}: channels, height, width`],
    ['classes', classes.length === 0 ? 'none' : classes.join(', ')],
    ['FLOPs a picture, denoising', `${grouped(flops.denoise)}, the network once`],
    ['FLOPs a picture, training', grouped(flops.train)],
    ['moved a picture, denoising', bytes(moved.denoise)],
    ['moved a picture, training', bytes(moved.train)],
    ['memory, parameters', bytes(memory.parameters)],
    ['memory, denoising', `${bytes(memory.denoise)} at most for one picture`],
    ['memory, training', `${bytes(memory.train)} at most for one picture, without the optimizer's`],
    ['engine', engine],
    ...measured.flatMap(each => measuredRows(each, picturesRows(each.denoise))),
  ])}`

/** A folder of a diffusion model: what it is and costs. */
export const inspectDiffusionModel = async (folder: string, flags: Flags, say: Printer): Promise<void> => {
  const { config, tensors } = readDenoiser(folderSource(folder))
  const inspection = inspectDenoiser(config)
  const types = typesOf(tensors)
  const { network, prediction_type: prediction, beta_schedule: schedule } = config
  const model = `${network.model_type} that predicts ${prediction} on the ${schedule} schedule, stored as ${types.join(', ')}`
  const inspected: Inspected<Named, DenoiserMeasurement> = {
    told: { model: network.model_type, prediction, schedule, ...inspection, types },
    upload: engine => upload(tensors, engine),
    measure: (parameters, engine) => measureDenoiser({ config, model: denoisingNetwork(config) }, parameters, engine),
    textOf: (_, backend, measured) => textOf(model, backend, inspection, measured),
  }
  await reportInspection(inspected, flags, say)
}
