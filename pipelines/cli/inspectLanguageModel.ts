import type { Weights } from '../../src/context.ts'
import { packs } from '../../src/tensor/quantizedMatrix.ts'
import { readFolder } from '../folder.ts'
import { type InspectedTensor, type Inspection, inspect } from '../inspect.ts'
import { type Measurement, measure } from '../measure.ts'
import { modelOf } from '../model.ts'
import { uploadWeights } from '../parameters.ts'
import type { Flags } from './common.ts'
import { bytes, type Measured, measuredRows, type Row, table, typesOf } from './inspectionText.ts'
import { grouped, type Printer } from './printer.ts'
import { type Inspected, reportInspection } from './reportInspection.ts'

const textOf = (
  kind: string,
  engine: string,
  packed: boolean,
  { parameters, tensors, vocabulary, context, flops, bytes: moved, memory }: Inspection,
  measured: readonly Measured<Measurement>[],
) =>
  `${table(tensors.map(({ name, shape }) => [name, `[${shape.join(', ')}]`]))}\n${table([
    ['model', kind],
    ['parameters', grouped(parameters)],
    ...fewerBits(tensors, packed),
    ['vocabulary', `${grouped(vocabulary)} tokens`],
    ['context', `${grouped(context)} positions`],
    [
      'FLOPs a token, decoding',
      `${grouped(flops.decodeFirst)} at the first position, ${grouped(flops.decodeLast)} at the last`,
    ],
    ['FLOPs a token, prompt', `${grouped(flops.prefill)} of full context`],
    ['FLOPs a token, training', grouped(flops.train)],
    [
      'moved a token, decoding',
      `${bytes(moved.decodeFirst)} at the first position, ${bytes(moved.decodeLast)} at the last`,
    ],
    ['moved a token, prompt', `${bytes(moved.prefill)} of full context`],
    ['moved a token, training', bytes(moved.train)],
    ['memory, parameters', bytes(memory.parameters)],
    ['memory, cache', `${bytes(memory.cache)} at full context`],
    ['memory, decoding', `${bytes(memory.decode)} at most`],
    ['memory, training', `${bytes(memory.train)} at most for one sequence of full context, without the optimizer's`],
    ['engine', engine],
    ...measured.flatMap(each =>
      measuredRows(each, [
        [`a token after ${each.decode.position}`, each.decode],
        [`a prompt of ${each.prefill.tokens}`, each.prefill],
      ]),
    ),
  ])}`

/** How matrices in fewer bits live on the engine; the figures are those of engines that keep their bits. */
const fewerBits = (tensors: readonly InspectedTensor[], packed: boolean): readonly Row[] => {
  const types = new Set(tensors.flatMap(({ type }) => (type === 'f32' ? [] : [type])))
  if (types.size === 0) return []
  return [['matrices', `${[...types].join(', ')}${packed ? '' : ', widened on this engine'}`]]
}

/** A folder of a language model: what it is and costs. */
export const inspectLanguageModel = async (folder: string, flags: Flags, say: Printer): Promise<void> => {
  const { config, tensors } = readFolder(folder)
  const inspection = inspect(config, tensors)
  const types = typesOf(tensors)
  const model = `${config.model_type}, stored as ${types.join(', ')}`
  const inspected: Inspected<Weights, Measurement> = {
    told: { model: config.model_type, ...inspection, types },
    upload: engine => uploadWeights(config, tensors, engine),
    measure: (parameters, engine) => measure(modelOf(config), parameters, engine),
    textOf: (engine, backend, measured) => textOf(model, backend, packs(engine), inspection, measured),
  }
  await reportInspection(inspected, flags, say)
}
