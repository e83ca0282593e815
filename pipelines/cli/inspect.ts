import type { Command } from 'commander'
import type { ModelConfig } from '../../src/codec/model.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { wasmEngine } from '../../src/engine/wasm/engine.ts'
import type { HostTensors } from '../../src/format/hostTensor.ts'
import { packs } from '../../src/tensor/quantizedMatrix.ts'
import { tensorsOf } from '../../src/tensor/scope.ts'
import { readFolder } from '../folder.ts'
import { type InspectedTensor, type Inspection, inspect } from '../inspect.ts'
import { type MeasuredPass, type Measurement, measure } from '../measure.ts'
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

/** A measurement with so many threads. */
type Measured = Measurement & { readonly threads: number }

const textOf = (
  kind: string,
  engine: string,
  packed: boolean,
  { parameters, tensors, vocabulary, context, flops, bytes: moved, memory }: Inspection,
  measured: readonly Measured[],
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
    ...measured.flatMap(measuredRows),
  ])}`

/** How matrices in fewer bits live on the engine; the figures are those of engines that keep their bits. */
const fewerBits = (tensors: readonly InspectedTensor[], packed: boolean): readonly (readonly [string, string])[] => {
  const types = new Set(tensors.flatMap(({ type }) => (type === 'f32' ? [] : [type])))
  if (types.size === 0) return []
  return [['matrices', `${[...types].join(', ')}${packed ? '' : ', widened on this engine'}`]]
}

const measuredRows = (measured: Measured): readonly (readonly [string, string])[] => {
  const { threads, flopsPerSecond, bytesPerSecond, decode, prefill } = measured
  const beside = ({ predictedMilliseconds, milliseconds }: MeasuredPass) =>
    `${milliseconds.toPrecision(3)} ms, ${predictedMilliseconds.toPrecision(3)} ms predicted`
  return [
    [
      threads === 1 ? '1 thread' : `${threads} threads`,
      `matmul ${(flopsPerSecond / 1e9).toFixed(1)} GFLOP/s, matrix times row ${(bytesPerSecond / 1e9).toFixed(1)} GB/s`,
    ],
    [`  a token after ${decode.position}`, beside(decode)],
    [`  a prompt of ${prefill.tokens}`, beside(prefill)],
  ]
}

/** On one thread, and on all that the engine has. */
const measureAll = async (config: ModelConfig, tensors: HostTensors, engine: Engine): Promise<readonly Measured[]> => {
  const on = async (each: Engine, threads: number): Promise<Measured> => {
    const parameters = uploadWeights(config, tensors, each)
    const measurement = await measure(modelOf(config), parameters, each)
    for (const parameter of tensorsOf(parameters)) parameter.release()
    return { threads, ...measurement }
  }
  const threads = 'threads' in engine && typeof engine.threads === 'number' ? engine.threads : 1
  return threads === 1 ? [await on(engine, 1)] : [await on(wasmEngine(), 1), await on(engine, threads)]
}

const run = async (folder: string, flags: Flags, io: Io): Promise<void> => {
  const say = printerOf(flags, io)
  const { config, tensors } = readFolder(modelPath(folder))
  const { engine, why } = await engineOf(flags)
  const inspection = inspect(config, tensors)
  say.note(why)
  const measured = flags.measure === false ? [] : await measureAll(config, tensors, engine)
  const types = [...new Set(Array.from(tensors.values(), ({ dtype }) => dtype))]
  const { name, backend } = engine
  say.result(
    { model: config.model_type, ...inspection, types, engine: { name, backend }, measured },
    textOf(
      `${config.model_type}, stored as ${types.join(', ')}`,
      `${name} (${backend})`,
      packs(engine),
      inspection,
      measured,
    ),
  )
}

const fields = `
Fields of --json:
  model, types               architecture; types that numbers are stored as
  parameters, tensors        numbers in all; name, shape and elements of each tensor
  vocabulary, context        tokens; positions
  flops, bytes               a token's operations, and bytes that kernels read and write: decodeFirst and decodeLast (one step at the first and
                             the last position), prefill (a token of a prompt of full context), train (a token of a training sequence)
  memory                     bytes: parameters, cache (full context), decode and train (most at once)
  engine                     name, backend
  measured                   for one thread and for all: threads; flopsPerSecond and bytesPerSecond, the ceilings (matmul 512 and matrix times row
                             of this engine); decode and prefill, each with position, tokens, flops, bytes, predictedMilliseconds (what the
                             ceilings allow) and milliseconds (the median)`

/** `fluxion inspect <folder>`: what a model is and costs. */
export const addInspect = (program: Command, io: Io): void => {
  const command = program
    .command('inspect')
    .description(
      "A model's parameters, shapes, FLOPs and bytes a token, memory; times that this machine's ceilings predict, beside measured ones.",
    )
    .argument('<folder>', 'a model folder')
    .option('--no-measure', 'only what needs no computing')
    .addHelpText('after', fields)
  withCommonFlags(command).action((folder: string, flags: Flags) => run(folder, flags, io))
}
