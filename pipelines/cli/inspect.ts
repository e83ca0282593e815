import type { Command } from 'commander'
import { packs } from '../../src/tensor/quantizedMatrix.ts'
import { readFolder } from '../folder.ts'
import { type InspectedTensor, type Inspection, inspect } from '../inspect.ts'
import { type Measurement, measure } from '../measure.ts'
import { modelOf } from '../model.ts'
import { uploadWeights } from '../parameters.ts'
import { engineOf, type Flags, printerOf, withCommonFlags } from './common.ts'
import type { Io } from './io.ts'
import { modelPath } from './modelPath.ts'
import { grouped } from './printer.ts'

/** Bytes in a unit that people read: 7.4 MB. */
const bytes = (count: number): string => {
  const [unit = 'B', size = 1] = [['GB', 1e9] as const, ['MB', 1e6] as const, ['kB', 1e3] as const].find(
    ([, least]) => count >= least,
  ) ?? ['B', 1]
  return `${(count / size).toFixed(size === 1 ? 0 : 1)} ${unit}`
}

const table = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

const textOf = (
  kind: string,
  engine: string,
  packed: boolean,
  { parameters, tensors, vocabulary, context, flops, bytes: moved, memory }: Inspection,
  measured: Measurement | null,
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
    ['FLOPs a token, training', grouped(flops.train)],
    ['moved a token, decoding', `${bytes(moved.decodeLast)} at the last position`],
    ['moved a token, training', bytes(moved.train)],
    ['memory, parameters', bytes(memory.parameters)],
    ['memory, cache', `${bytes(memory.cache)} at full context`],
    ['memory, decoding', `${bytes(memory.decode)} at most`],
    ['memory, training', `${bytes(memory.train)} at most for one sequence of full context, without the optimizer's`],
    ['engine', engine],
    ...(measured === null ? [] : measuredRows(measured)),
  ])}`

/** How matrices in fewer bits live on the engine; the figures are those of engines that keep their bits. */
const fewerBits = (tensors: readonly InspectedTensor[], packed: boolean): readonly (readonly [string, string])[] => {
  const types = new Set(tensors.flatMap(({ type }) => (type === 'f32' ? [] : [type])))
  if (types.size === 0) return []
  return [['matrices', `${[...types].join(', ')}${packed ? '' : ', widened on this engine'}`]]
}

const measuredRows = (measured: Measurement): readonly (readonly [string, string])[] => [
  ['matmul, measured', `${(measured.flopsPerSecond / 1e9).toFixed(1)} GFLOP/s`],
  ['matrix times row, measured', `${(measured.bytesPerSecond / 1e9).toFixed(1)} GB/s`],
  ['a token, predicted from these', `${measured.predictedMilliseconds.toPrecision(3)} ms`],
  ['a token, measured', `${measured.milliseconds.toPrecision(3)} ms`],
]

const run = async (folder: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { config, tensors } = readFolder(modelPath(folder))
  const { engine, why } = await engineOf(flags)
  const inspection = inspect(config, tensors)
  say.note(why)
  const measured =
    flags.measure === true ? await measure(modelOf(config), uploadWeights(config, tensors, engine), engine) : null
  const types = [...new Set(Array.from(tensors.values(), ({ dtype }) => dtype))]
  const { name, backend } = engine
  say.result(
    {
      model: config.model_type,
      ...inspection,
      types,
      engine: { name, backend },
      ...(measured === null ? {} : { measured }),
    },
    textOf(
      `${config.model_type}, stored as ${types.join(', ')}`,
      `${name} (${backend})`,
      packs(engine),
      inspection,
      measured,
    ),
  )
}

/** `fluxion inspect <folder>`: what a model is and costs. */
export const addInspect = (program: Command, io: Io): void => {
  const command = program
    .command('inspect')
    .description("A model's parameters, shapes, FLOPs a token, memory and engine.")
    .argument('<folder>', 'a model folder')
    .option('--measure', "also times decoding, beside what this machine's measured ceilings predict (a second)")
  withCommonFlags(command).action((folder: string, flags: Flags) => run(folder, flags, io))
}
